"""A process under `stillsky serve`: the Prefect server, the worker or one run, ending when the one that started it does."""

import asyncio
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flows.server.embedded import hear
from storage.locks import is_held, take

PARENT = "STILLSKY_PARENT"
"""Environment variable with the number of the process that starts a child."""
LOOK_S = 0.3
"""Pause between two looks whether the parent is still there."""
GRACE_S = 10.0
"""A child may take this long to end tidily after its parent is gone."""


def main() -> None:
    """`python -m flows.service.child_process server HOST PORT`, `... worker POOL LIMIT` or `... run`."""
    kind, *words = sys.argv[1:]
    _tie(int(os.environ[PARENT]))
    os.environ[PARENT] = str(os.getpid())  # a run's process is tied to the worker
    kinds: dict[str, Callable[..., None]] = {"server": _server, "worker": _worker, "run": _run}
    kinds[kind](*words)


def run_lock(home: Path, run: str) -> Path:
    """The lock that the process of a flow run holds while it lives."""
    return home / "runs" / f"{run}.lock"


def living_runs(home: Path) -> list[Path]:
    """The locks of runs that a process is at."""
    return [lock for lock in (home / "runs").glob("*.lock") if is_held(lock)]


def _tie(parent: int) -> None:
    """End this process soon after `parent` is gone, however that went: first as cancelling would, then at once."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _server(host: str, port: str) -> None:
    import uvicorn
    from prefect.server.api.server import create_app

    from flows.ui.report_links import routes

    app = create_app(final=True)
    app.router.routes[:0] = routes()  # before Prefect's page, which answers everything
    uvicorn.run(app, host=host, port=int(port), log_level="warning", timeout_graceful_shutdown=3)


def _worker(pool: str, limit: str) -> None:
    from prefect.workers.process import ProcessWorker

    worker = ProcessWorker(work_pool_name=pool, limit=int(limit), create_pool_if_not_found=False)
    asyncio.run(worker.start())


def _run() -> None:
    """What Prefect's own engine command does, holding the run's lock; a run that another process is at is left to it."""
    run = os.environ["PREFECT__FLOW_RUN_ID"]
    lock = run_lock(Path(os.environ["PREFECT_HOME"]), run)
    if take(lock, run) is None:
        sys.exit(0)
    hear()
    sys.argv = ["prefect.engine", run]
    try:
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    finally:
        lock.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
