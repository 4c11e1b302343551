"""The embedded Prefect server's process: `python -m flows.server.embedded_app PORT`; it ends when its standard input does."""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from flows.server.access import Guard
from storage.locks import claim

GRACE_S = 10.0
"""A server that is asked to end may take this long."""


def main() -> None:
    """Serve the Prefect API on the loopback interface until whoever started this process is gone."""
    ending: list[Callable[[], None]] = []
    threading.Thread(target=_end_with_parent, args=(ending,), daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    app = Guard(create_app(ephemeral=True))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning"))

    def stop() -> None:
        server.should_exit = True

    def release_when_started() -> None:
        while not server.started and not server.should_exit:
            time.sleep(0.02)
        if server.started:
            ending.append(stop)
        database.close()

    database = ExitStack()  # two servers that set up one new database at the same moment break it: one after the other
    database.enter_context(claim(Path(os.environ["PREFECT_HOME"]) / "starting.lock", "the Prefect database"))
    threading.Thread(target=release_when_started, daemon=True).start()
    server.run()


def _end_with_parent(ending: list[Callable[[], None]]) -> None:
    """When standard input ends: stop a server that runs tidily, one that is still starting at once."""
    while os.read(0, 1):  # not sys.stdin: its lock, held by this thread, is fatal when the interpreter ends
        pass
    if ending:
        ending[0]()
        time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
