"""A process under `stillsky serve`: the Prefect server, the worker or one run, ending when the one that started it does."""

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flows.server.embedded import enable_info_logging
from flows.server.home import run_lock
from storage.locks import take

PARENT = "STILLSKY_PARENT"
"""Environment variable with the number of the process that starts a child."""
SERVER_NAMES = "STILLSKY_SERVER_NAMES"
"""Environment variable with further host names of the server, separated by spaces."""
POLL_S = 0.3
"""Pause between two looks whether the parent is still there."""
GRACE_S = 10.0
"""A child may take this long to end tidily after its parent is gone."""


def main() -> None:
    """`python -m flows.service.child_process server HOST PORT`, `... worker POOL LIMIT` or `... run`."""
    kind, *arguments = sys.argv[1:]
    _end_with(int(os.environ[PARENT]))
    os.environ[PARENT] = str(os.getpid())  # a run's process ends with the worker
    kinds: dict[str, Callable[..., None]] = {"server": _server, "worker": _worker, "run": _run}
    kinds[kind](*arguments)


def _end_with(parent: int) -> None:
    """End this process soon after `parent` is gone, however that went: first as cancelling would, then at once."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _server(host: str, port: str) -> None:
    import uvicorn
    from prefect.server.api.server import create_app

    from flows.server.access import SERVER_VARIABLE, Guard
    from flows.ui.report_links import routes

    app = create_app(final=True)
    app.router.routes[:0] = routes()  # before Prefect's page, which answers everything
    guarded = Guard(app, os.environ.get(SERVER_NAMES, "").split(), os.environ.get(SERVER_VARIABLE, ""))
    uvicorn.run(guarded, host=host, port=int(port), log_level="warning", timeout_graceful_shutdown=3)


def _worker(pool: str, limit: str) -> None:
    from flows.service.worker import work

    work(pool, int(limit))


def _run() -> None:
    """What Prefect's own engine command does, holding the run's lock; a run that another process is at is left to it."""
    run = os.environ["PREFECT__FLOW_RUN_ID"]
    lock = run_lock(Path(os.environ["PREFECT_HOME"]), run)
    if take(lock, run) is None:
        sys.exit(0)
    enable_info_logging()
    try:
        from flows.service.run_check import refuse_or_choose_flow

        if refuse_or_choose_flow(run):
            sys.argv = ["prefect.engine", run]
            runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    finally:
        lock.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
