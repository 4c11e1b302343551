"""Prefect without ceremony: a private home under the store, a server that lives as long as the command, a whole record."""

import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from storage.errors import StillskyError
from storage.locks import holder, is_held

LOGGER = "stillsky"
"""To this logger every module of ours tells what it does."""
PATIENCE_S = 120.0
"""Longest wait for the embedded server to answer."""
SETTLE_S = 15.0
"""Longest wait, after a run, for the server to have recorded its last states."""


def cache_folder() -> Path:
    """stillsky's folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(f"{base}/stillsky").expanduser().absolute()


def default_store() -> Path:
    """STILLSKY_STORE, or the user's cache folder."""
    return Path(os.environ.get("STILLSKY_STORE") or cache_folder()).expanduser().absolute()


def settle_environment(root: Path) -> None:
    """Point Prefect at its home under the store's root: no telemetry, no network. Before the first `import prefect`."""
    quiet = {
        "PREFECT_HOME": str(root / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the command line says what went wrong, in words
        "PREFECT_LOGGING_EXTRA_LOGGERS": LOGGER,
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # what is logged outside a run is for the console alone
        "PREFECT_CLI_PROMPT": "false",
        "OMP_WAIT_POLICY": "PASSIVE",  # on a busy machine torch's threads otherwise spin for a core they do not get
    }
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    hear()


def hear() -> None:
    """Let what stillsky logs of its work reach the runs' logs: Prefect takes extra loggers, but leaves their level at WARNING."""
    logging.getLogger(LOGGER).setLevel(logging.INFO)


@contextlib.contextmanager
def server(root: Path) -> Iterator[None]:
    """A Prefect API for the block: of PREFECT_API_URL, of a `stillsky serve` on this store, or an own one that ends with it.

    The server is started before and awaited after the heavy imports of the caller, so that the two overlap: wait with
    `wait_for(url)`. It reads from a pipe that closes when this process dies, however it dies, and then ends itself.
    """
    settle_environment(root)
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    if url := _serving(root):
        os.environ["PREFECT_API_URL"] = url
        try:
            yield
        finally:
            del os.environ["PREFECT_API_URL"]
        return
    port = _free_port()
    home = Path(os.environ["PREFECT_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    with (home / "server.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "flows.server.embedded_app", str(port)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for this process, which still has its end to record
        )
    try:
        yield
    finally:
        del os.environ["PREFECT_API_URL"]
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(SETTLE_S)
        except subprocess.TimeoutExpired:
            child.kill()


def wait_for_server(gone: Callable[[], bool] = lambda: False) -> None:
    """Return once the API answers; `gone` tells that it never will."""
    url = os.environ["PREFECT_API_URL"]
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError as error:
            log = Path(os.environ["PREFECT_HOME"]) / "server.log"
            if gone():
                raise StillskyError(f"the Prefect server ended as it started; {log} says why") from None
            if time.monotonic() > end:
                raise StillskyError(
                    f"the Prefect API {url} did not answer within {PATIENCE_S:.0f} s ({error}); see {log}, then try again"
                ) from None
            time.sleep(0.05)


def wait_until_recorded(flow_run: str, tasks: int) -> bool:
    """Wait until the server has the final state of the `tasks` task runs of a flow run: Prefect sends them behind the run.

    False if they did not come, or the server is gone: no reason to hide how the run itself ended.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.events.worker import EventsWorker

    EventsWorker.instance().wait_until_empty()
    end = time.monotonic() + SETTLE_S
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run)]))
    with contextlib.suppress(HTTPError), get_client(sync_client=True) as client:
        while time.monotonic() < end:
            runs = client.read_task_runs(flow_run_filter=chosen, limit=200)
            if len(runs) >= min(tasks, 200) and all(r.state is not None and r.state.is_final() for r in runs):
                return True
            time.sleep(0.1)
    return False


def send_logs() -> None:
    """Send what the run has logged, while there is a server to take it."""
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()


def port_of(url: str) -> int:
    """The port in an address."""
    return urlsplit(url).port or 0


def _serving(root: Path) -> str:
    """Address of the API that a `stillsky serve` serves this store with now; empty where none does."""
    lock = root / "prefect" / "serve.lock"
    return (re.findall(r"\((http.+)\)", holder(lock)) or [""])[0] if is_held(lock) else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
