"""The embedded Prefect server's process: `python -m flows.server.embedded_app PORT`; it ends when its standard input does."""

import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from storage.locks import claim


def main() -> None:
    """Serve the Prefect API on the loopback interface until whoever started this process is gone."""
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(ephemeral=True), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
    server = uvicorn.Server(config)

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock, held by this thread, is fatal when the interpreter ends
            pass
        server.should_exit = True

    def start() -> None:
        """Two servers that set up one new database at the same moment break it: one after the other."""
        while not server.started and not server.should_exit:
            time.sleep(0.02)
        turn.close()

    turn = ExitStack()
    turn.enter_context(claim(Path(os.environ["PREFECT_HOME"]) / "starting.lock", "the Prefect database"))
    for each in (watch, start):
        threading.Thread(target=each, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
