"""`stillsky serve`: one process that keeps server and worker alive, watches the inbox and resumes what a crash interrupted."""

import contextlib
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from configs.load import BadConfig, load_config
from configs.request import ServeRequest
from flows.server import embedded
from flows.server.home import check_room, living_runs, sweep_run_locks
from flows.service.request_limits import hand_down, limits_of
from flows.service.settings import ServerChoice, announce, choose_server, local_timezone
from flows.service.supervised_process import SupervisedProcess
from storage.errors import StillskyError
from storage.locks import annotate, holder, take
from storage.results.published import check_folder
from storage.store import Store
from tasks.reporting.gallery import GalleryRenewal

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from flows.service.deployments import Deployments
    from flows.service.inbox import Inbox
    from flows.service.reconcile import Runs

POLL_S = 3.0
"""Pause between two looks at child processes, inbox and runs."""
MAX_RUNS_STOP_S = 15.0
"""Longest wait for runs to end whose worker is gone."""
Say = Callable[[str], None]


class Stopped(Exception):
    """SIGTERM or Ctrl-C."""


def serve(request: ServeRequest, say: Say) -> None:
    """Serve until stopped. What was running when this ended, however it ended, goes on at the next start."""
    request = request.anchored(Path.cwd())
    load_config(
        request.config, request.profile, request.overrides
    )  # a misspelt setting is refused before anything starts
    store = Store(request.store or embedded.default_store())
    _check(request)
    check_room(store.root)
    with _only_serve(store.root) as lock, _stoppable():
        store.sweep()
        sweep_run_locks(store.root / "prefect")
        server = choose_server(request, store.root)
        hand_down(limits_of(request, store.root))
        annotate(lock, os.environ["PREFECT_API_URL"])  # commands on this store find the server here
        with embedded.home_as_working_directory():  # Prefect would read settings files of another one
            service = Service(request, store.root, say, server)
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
    choice: ServerChoice
    """Is the Prefect server a child of this process, or joined by PREFECT_API_URL?"""
    inbox_error: str = ""
    """Why the inbox cannot be read, as printed."""
    gallery_is_old: bool = True
    """Has a run ended since the gallery of the results was written?"""

    def __post_init__(self) -> None:
        self.home = self.root / "prefect"
        self.gallery = GalleryRenewal(self.request.results) if self.request.results else None
        host, port = self.request.host, str(embedded.port_of(os.environ["PREFECT_API_URL"]))
        self.server = SupervisedProcess(("server", host, port), self.home / "server.log")
        self.worker = SupervisedProcess(
            ("worker", self.request.name, str(self.request.at_once)), self.home / "worker.log"
        )

    def run(self) -> None:
        """Start everything in order, then supervise it until an exception ends it."""
        if self.choice.own:
            self.server.start()
        from prefect.client.orchestration import get_client
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        from flows.service.deployments import deploy, next_run

        embedded.wait_for_server(ended=self.server.died)
        timezone = self.request.timezone or local_timezone()
        deployed = deploy(self.request, self.root, timezone)
        with get_client(sync_client=True) as client:
            runs, inbox = self._prepare(client, deployed)
            self.worker.start()
            for line in announce(self.request, self.root, next_run(self.request, timezone), self.choice):
                self.say(line)
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # the next poll is the repetition
                while True:
                    time.sleep(POLL_S)
                    self._poll(client, deployed, runs, inbox)

    def stop(self) -> None:
        """End the worker, its runs, which tell the server so, then the server. A second Ctrl-C ends all at once."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        self.worker.stop()
        self._await_runs()
        self.server.stop()

    def _prepare(self, client: "SyncPrefectClient", deployed: "Deployments") -> "tuple[Runs, Inbox | None]":
        """Close and resume what an earlier serve left, before a worker can start anything."""
        from flows.server.device_slot import show_slots
        from flows.service.deployments import crash_runs_without_heartbeat
        from flows.service.inbox import Inbox
        from flows.service.reconcile import Runs
        from storage.captures.file_stability import StabilityCheck

        runs = Runs(client, self.home, deployed.ids)
        self._recover(runs, "stillsky serve was stopped or killed")
        runs.close_leftovers()
        self._say_all(runs.catch_up(deployed.night))
        config = load_config(self.request.config, self.request.profile, self.request.overrides)
        show_slots(self.root, config.limits)
        if self.choice.own:
            runs.close_killed_commands()
        else:
            crash_runs_without_heartbeat(client)
        if self.request.inbox is None or self.request.results is None:
            return runs, None
        watch = StabilityCheck(config.night.settle_s, config.night.poll_s)
        return runs, Inbox(self.request.inbox, self.request.results, [self.root], watch, config.colour)

    def _poll(self, client: "SyncPrefectClient", deployed: "Deployments", runs: "Runs", inbox: "Inbox | None") -> None:
        """Check everything once. A server that does not answer is checked again later."""
        from httpx import HTTPError
        from prefect.exceptions import PrefectException

        if self.server.died():
            self._say_all([f"the Prefect server died; it is started again (see {self.server.log})"])
        if self.choice.own and self.server.due:
            self.server.start()
        if self.worker.died():
            self._say_all([f"the worker died; it is started again (see {self.worker.log})"])
        if not _server_answers():
            return
        with contextlib.suppress(HTTPError, PrefectException):
            if self.worker.due:
                self._recover(runs, "its worker was killed")
                self.worker.start()
            elif self.worker.process is not None:
                self._say_all(runs.recover())
            self._say_all(runs.catch_up(deployed.night))
            runs.name_waiting()
            self._say_ended(runs)
            if inbox is not None:
                self._send_inbox(inbox, client, deployed)

    def _send_inbox(self, inbox: "Inbox", client: "SyncPrefectClient", deployed: "Deployments") -> None:
        """Start runs of new captures. A folder that cannot be read (a disk unplugged) is reported once and tried again."""
        from flows.service.deployments import as_parameters, request_defaults

        try:
            sent = inbox.send(client, deployed, as_parameters(request_defaults(self.request, self.root)))
        except (StillskyError, OSError) as error:
            inbox_error = str(error)
        else:
            inbox_error = ""
            self._say_all([f"{name}: found in the inbox" for name in sent])
        if inbox_error and inbox_error != self.inbox_error:
            self._say_all([inbox_error])
        self.inbox_error = inbox_error

    def _recover(self, runs: "Runs", why: str) -> None:
        """Give processes without a worker the time to end, then resume their runs."""
        self._await_runs()
        self._say_all(runs.recover(why))

    def _await_runs(self) -> None:
        """Return when no run has a process any more, or when that takes too long: it is no run of the worker's then."""
        end = time.monotonic() + MAX_RUNS_STOP_S
        while living_runs(self.home) and time.monotonic() < end:
            time.sleep(0.1)

    def _say_ended(self, runs: "Runs") -> None:
        """Say what became of runs, and renew the gallery: after the last of them, and before so seldom that it costs little."""
        ended = runs.ended()
        self._say_all(ended)
        self.gallery_is_old |= bool(ended)
        if self.gallery is not None and self.gallery_is_old:
            self.gallery_is_old = not self.gallery.renew_if_due()

    def _say_all(self, lines: list[str]) -> None:
        """Say what has happened, with the time: nobody sits beside a terminal all night."""
        for line in lines:
            self.say(f"{datetime.now():%H:%M} {line}")


def _check(request: ServeRequest) -> None:
    if request.inbox is None:
        return
    if not request.inbox.is_dir():
        raise BadConfig(f"--inbox {request.inbox}: there is no such folder; make it, or name another")
    assert request.results is not None
    check_folder(request.results)


@contextlib.contextmanager
def _only_serve(root: Path) -> Iterator[int]:
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


def _server_answers() -> bool:
    """Does the Prefect API answer now?"""
    try:
        with urllib.request.urlopen(f"{os.environ['PREFECT_API_URL']}/health", timeout=5):
            return True
    except OSError:
        return False
