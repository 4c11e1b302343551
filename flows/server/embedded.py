"""Prefect without setup: a private home under the store, a server that lives as long as the command, a complete record."""

import base64
import contextlib
import logging
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from configs.load import BadConfig
from flows.server.access import CLIENT_VARIABLE, SERVER_VARIABLE, kept_password, new_password
from flows.server.home import check_room, make_home, open_log, sweep_run_locks
from flows.server.python_command import python_command, safe_environment
from storage.errors import StillskyError
from storage.locks import holder, is_held

LOGGER = "stillsky"
"""The logger that every module of ours logs to."""
MAX_START_S = 120.0
"""Longest wait for the server to answer after its start."""
MAX_RECORDING_S = 15.0
"""Longest wait, after a run, for the server to have recorded its last states."""


def cache_folder() -> Path:
    """stillsky's folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(f"{base}/stillsky").expanduser().absolute()


def default_store() -> Path:
    """STILLSKY_STORE, or the user's cache folder."""
    return Path(os.environ.get("STILLSKY_STORE") or cache_folder()).expanduser().absolute()


def set_environment(root: Path) -> None:
    """Point Prefect at its home under the store's root: no telemetry, no network. Before the first `import prefect`."""
    defaults = {
        "PREFECT_HOME": str(root / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the command line reports errors itself
        "PREFECT_LOGGING_EXTRA_LOGGERS": LOGGER,
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # what is logged outside a run goes to the console only
        "PREFECT_CLI_PROMPT": "false",
        "OMP_WAIT_POLICY": "PASSIVE",  # on a busy machine torch's threads otherwise spin for a core they do not get
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    os.environ["PREFECT_HOME"] = str(Path(os.environ["PREFECT_HOME"]).expanduser().absolute())
    enable_info_logging()


def enable_info_logging() -> None:
    """Let our log lines reach the runs' logs: Prefect forwards extra loggers, but leaves their level at WARNING."""
    logging.getLogger(LOGGER).setLevel(logging.INFO)


@contextlib.contextmanager
def server(root: Path) -> Iterator[Callable[[], bool]]:
    """A Prefect API for the block: of PREFECT_API_URL, of a `stillsky serve` on this store, or an own one that ends with it.

    The server is started before and awaited after the heavy imports of the caller, so that the two overlap: wait with
    `wait_for_server(ended)`, where `ended` is what this lends: has the own server ended? The server reads from a pipe
    that closes when this process dies, however it dies, and then ends itself.
    """
    set_environment(root)
    home = Path(os.environ["PREFECT_HOME"])
    if os.environ.get("PREFECT_API_URL"):
        yield lambda: False
    elif url := _served_url(root):
        with _variables({"PREFECT_API_URL": url, **_own_password(kept_password(root / "prefect"))}):
            yield lambda: False
    else:
        check_room(root)
        make_home(home)
        sweep_run_locks(home)
        port, password = _free_port(), os.environ.get(SERVER_VARIABLE) or new_password()
        url = f"http://127.0.0.1:{port}"
        access = {SERVER_VARIABLE: password, CLIENT_VARIABLE: password, "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url}
        with _variables({"PREFECT_API_URL": f"{url}/api", **access}), _server_process(home, port) as child:
            yield lambda: child.poll() is not None


@contextlib.contextmanager
def recording(root: Path) -> Iterator[Callable[[], bool]]:
    """`server` for a command's runs. Inside the block the working directory is Prefect's home.

    Prefect would read .env, prefect.toml and pyproject.toml of the working directory, which may be a folder of captures.
    """
    with server(root) as ended, home_as_working_directory():
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        # The heartbeat thread sleeps a second before it notices the end of a flow; a run in this process needs none.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            try:
                yield ended
            except Exception as error:
                if not isinstance(error, StillskyError | BadConfig):
                    check_room(root)  # where the disk is the cause, that is what is reported
                raise
            finally:
                send_logs()


@contextlib.contextmanager
def home_as_working_directory() -> Iterator[None]:
    """Prefect's home is the working directory for the block."""
    home = Path(os.environ["PREFECT_HOME"])
    make_home(home)
    with contextlib.chdir(home):
        yield


def wait_for_server(ended: Callable[[], bool] = lambda: False) -> None:
    """Return once the API answers and takes our password; `ended` tells that it never will."""
    url, end = os.environ["PREFECT_API_URL"], time.monotonic() + MAX_START_S
    log = Path(os.environ["PREFECT_HOME"]) / "server.log"
    while True:
        try:
            _ask(f"{url}/health", 5)
            _ask(f"{url}/admin/version", 5)
            return
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                raise StillskyError(
                    f"the Prefect API {url} asks for a password; set {CLIENT_VARIABLE}=user:password"
                ) from None
            reason: object = error
        except OSError as error:
            reason = error
        if ended():
            raise StillskyError(f"the Prefect server ended as it started; {log} says why")
        if time.monotonic() > end:
            raise StillskyError(
                f"the Prefect API {url} did not answer within {MAX_START_S:.0f} s ({reason}); see {log}, then try again"
            )
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
    end = time.monotonic() + MAX_RECORDING_S
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


@contextlib.contextmanager
def _server_process(home: Path, port: int) -> "Iterator[subprocess.Popen[bytes]]":
    """The server's process; it ends with the block, or with this process."""
    with open_log(home / "server.log") as log:
        child = subprocess.Popen(
            python_command("flows.server.embedded_app", str(port)),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=home,
            env=safe_environment(),
            start_new_session=True,  # Ctrl-C in a terminal is for this process, which still has its end to record
        )
    try:
        yield child
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(MAX_RECORDING_S)
        except subprocess.TimeoutExpired:
            child.kill()


@contextlib.contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _ask(url: str, timeout_s: float) -> None:
    request = urllib.request.Request(url)
    if password := os.environ.get(CLIENT_VARIABLE):
        request.add_header("Authorization", f"Basic {base64.b64encode(password.encode()).decode()}")
    elif key := os.environ.get("PREFECT_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=timeout_s):
        pass


def _own_password(password: str) -> dict[str, str]:
    return {CLIENT_VARIABLE: password} if password and not os.environ.get(CLIENT_VARIABLE) else {}


def _served_url(root: Path) -> str:
    """Address of the API that a `stillsky serve` serves this store with now; empty where none does."""
    lock = root / "prefect" / "serve.lock"
    return (re.findall(r"\((http[^)]+)\)", holder(lock)) or [""])[0] if is_held(lock) else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
