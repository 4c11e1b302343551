"""`stillsky serve`: one process that keeps server and worker alive, watches the inbox and puts right what a crash left."""

import contextlib
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from configs.load import BadConfig, load_config
from configs.request import ServeRequest
from flows.server import embedded
from flows.service.child_process import living_runs
from flows.service.processes import Child
from flows.service.settings import announce, local_timezone, settle_server
from storage.errors import StillskyError
from storage.locks import holder, take, tell
from storage.results.published import check_folder
from storage.store import Store

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from flows.service.deployments import Deployments
    from flows.service.inbox import Inbox
    from flows.service.reconcile import Runs

TICK_S = 3.0
"""Pause between two looks at children, inbox and runs."""
RUNS_STOP_S = 15.0
"""Longest wait for runs to end whose worker is gone."""
Say = Callable[[str], None]


class Stopped(Exception):
    """SIGTERM or Ctrl-C."""


def serve(request: ServeRequest, say: Say) -> None:
    """Serve until stopped. What was running when this ended, however it ended, goes on at the next start."""
    load_config(request.config, request.profile, request.words)  # a misspelt setting is told before anything starts
    store = Store(request.store or embedded.default_store())
    _check(request)
    with _alone(store.root) as lock, _stoppable():
        store.sweep()
        own = settle_server(request, store.root)
        tell(lock, os.environ["PREFECT_API_URL"])  # commands on this store find the server here
        service = Service(request, store.root, say, own)
        try:
            service.run()
        except Stopped:
            say("stopping; what is under way goes on at the next start")
        finally:
            service.stop()


@dataclass
class Service:
    """The supervising process and what it keeps alive."""

    request: ServeRequest
    root: Path
    say: Say
    own: bool
    """Is the Prefect server a child of this process, not one joined by PREFECT_API_URL?"""
    trouble: str = ""
    """Why the inbox cannot be read, as told."""

    def __post_init__(self) -> None:
        self.home = self.root / "prefect"
        host, port = self.request.host, str(embedded.port_of(os.environ["PREFECT_API_URL"]))
        self.server = Child(("server", host, port), self.home / "server.log")
        self.worker = Child(("worker", self.request.name, str(self.request.at_once)), self.home / "worker.log")

    def run(self) -> None:
        """Start everything in order, then look after it until an exception ends it."""
        if self.own:
            self.server.start()
        from prefect.client.orchestration import get_client
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        from flows.service.deployments import deploy, next_run

        embedded.wait_for_server(gone=self.server.died)
        timezone = self.request.timezone or local_timezone()
        deployed = deploy(self.request, self.root, timezone)
        with get_client(sync_client=True) as client:
            runs, inbox = self._begin(client, deployed)
            self.worker.start()
            for line in announce(self.request, self.root, next_run(self.request, timezone)):
                self.say(line)
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # the next look is the repetition
                while True:
                    time.sleep(TICK_S)
                    self._look(client, deployed, runs, inbox)

    def stop(self) -> None:
        """End the worker, its runs, which tell the server so, then the server. A second Ctrl-C ends all at once."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        self.worker.stop()
        self._await_runs()
        self.server.stop()

    def _begin(self, client: "SyncPrefectClient", deployed: "Deployments") -> "tuple[Runs, Inbox | None]":
        """Put right what an earlier serve left, before a worker can take anything up."""
        from flows.server.device_slot import show_slots
        from flows.service.deployments import watch_over_heartbeats
        from flows.service.inbox import Inbox
        from flows.service.reconcile import Runs
        from storage.captures.file_stability import StabilityCheck

        runs = Runs(client, self.home, deployed.ids)
        self._recover(runs, "stillsky serve was stopped or killed")
        runs.sweep()
        self._tell(runs.catch_up(deployed.night))
        config = load_config(self.request.config, self.request.profile, self.request.words)
        show_slots(self.root, config.limits)
        if self.own:
            runs.close_strays()
        else:
            watch_over_heartbeats(client)
        if self.request.inbox is None or self.request.results is None:
            return runs, None
        watch = StabilityCheck(config.night.settle_s, config.night.poll_s)
        folder, out = self.request.inbox.absolute(), self.request.results.absolute()
        return runs, Inbox(folder, out, [self.root], watch)

    def _look(self, client: "SyncPrefectClient", deployed: "Deployments", runs: "Runs", inbox: "Inbox | None") -> None:
        """One look at everything. A server that does not answer is looked at again later."""
        from httpx import HTTPError
        from prefect.exceptions import PrefectException

        if self.server.died():
            self.say(f"the Prefect server died; it is started again (see {self.server.log})")
        if self.own and self.server.due:
            self.server.start()
        if self.worker.died():
            self.say(f"the worker died; it is started again (see {self.worker.log})")
        if not _answers():
            return
        with contextlib.suppress(HTTPError, PrefectException):
            if self.worker.due:
                self._recover(runs, "its worker was killed")
                self.worker.start()
            elif self.worker.process is not None:
                self._tell(runs.recover())
            self._tell(runs.catch_up(deployed.night))
            if inbox is not None:
                self._empty(inbox, client, deployed)

    def _empty(self, inbox: "Inbox", client: "SyncPrefectClient", deployed: "Deployments") -> None:
        """Ask for what has come in. A folder that cannot be read (a disk unplugged) is told once and looked at again."""
        from flows.service.deployments import request_defaults

        try:
            found = inbox.send(client, deployed.capture, request_defaults(self.request, self.root))
        except (StillskyError, OSError) as error:
            trouble = str(error)
        else:
            trouble = ""
            self._tell([f"{name}: found in the inbox" for name in found])
        if trouble and trouble != self.trouble:
            self.say(trouble)
        self.trouble = trouble

    def _recover(self, runs: "Runs", why: str) -> None:
        """Give processes without a worker the time to end, then resume what they were at."""
        self._await_runs()
        self._tell(runs.recover(why))

    def _await_runs(self) -> None:
        """Return when no run has a process any more, or when that takes too long: it is no run of the worker's then."""
        end = time.monotonic() + RUNS_STOP_S
        while living_runs(self.home) and time.monotonic() < end:
            time.sleep(0.1)

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self.say(line)


def _check(request: ServeRequest) -> None:
    if request.inbox is None:
        return
    if not request.inbox.is_dir():
        raise BadConfig(f"--inbox {request.inbox}: there is no such folder; make it, or name another")
    assert request.results is not None
    check_folder(request.results)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[int]:
    """Only one serve on a store: the second is refused."""
    lock = root / "prefect" / "serve.lock"
    descriptor = take(lock, "stillsky serve")
    if descriptor is None:
        raise StillskyError(
            f"the store {root} is served already, by {holder(lock)}; stop that one, or choose another with --store"
        )
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and Ctrl-C raise Stopped in the block."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _answers() -> bool:
    """Does the Prefect API answer now?"""
    try:
        with urllib.request.urlopen(f"{os.environ['PREFECT_API_URL']}/health", timeout=5):
            return True
    except OSError:
        return False
