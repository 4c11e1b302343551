"""Every capture of a night as a Prefect flow: one that fails sinks nobody, and what is there already is not done again."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.exceptions import CancelledRun

from configs.load import BadConfig
from configs.request import CaptureRequest, NightRequest
from configs.schema import Config
from flows.capture import capture, config_of
from flows.recipe import planned_products
from flows.server.embedded import default_store
from flows.service.notify import notify
from storage.captures.capture import capture_at
from storage.captures.file_stability import Watch, forget_missing, known_fingerprint, recalled
from storage.captures.night import Recording, frame_bytes, night_at, night_settings, output_folder, results_folder
from storage.errors import NothingToDo, StillskyError, StoreError, Unsettled
from storage.housekeeping import human_bytes, retain
from storage.product import Product
from storage.results.night_record import NightRecord, Outcome, Row, row_of
from storage.results.published import check_folder, published
from storage.store import Store, clock

log = logging.getLogger("stillsky")
_teller: ContextVar[Callable[[str], None] | None] = ContextVar("teller", default=None)


@dataclass
class Tonight:
    """A night under way."""

    request: NightRequest
    config: Config
    store: Store
    record: NightRecord
    watch: Watch
    waiting_since: float | None = None
    """When nothing was left but captures that are not whole, seconds of a clock that cannot be set."""
    left: list[Recording] = field(default_factory=list)

    @property
    def night(self) -> Any:
        """The settings for nights."""
        return self.config.night

    def asked(self, recording: Recording) -> CaptureRequest:
        """What is asked for one of its captures."""
        same = self.request.model_dump(include={"config", "profile", "words", "device", "dask"})
        out = output_folder(self.record.out, recording.name)
        return CaptureRequest(
            capture=recording.path, out=out, store=self.store.root, night=self.request.folder, **same
        )  # fmt: skip

    def line(self, recording: Recording, known: Callable[[Path], str]) -> list[Product]:
        """Every product of a capture's recipe."""
        config = config_of(self.asked(recording))
        camera = config.camera
        found = capture_at(recording.path, camera.dark, camera.flat, camera.exposure_s, known, camera.mosaic)
        return planned_products(self.store, found, config)


@flow(name="night", flow_run_name="{request.folder.name}")
def night(request: NightRequest) -> dict[str, Any]:
    """Restore every capture of a folder, each in a run of its own; returns the summary, which is night.json too."""
    config, out = night_settings(request), results_folder(request)
    check_folder(out)
    store = Store(request.store or default_store())
    store.sweep()
    record = NightRecord(request.folder.absolute(), out)
    tonight = Tonight(request, config, store, record, Watch(config.night.settle_s, config.night.look_s))
    with record.logged():
        log.info("night of %s begins; results in %s, store %s", request.folder, out, store.root)
        try:
            _go_through(tonight)
            record.end("done")
        except BaseException as error:
            record.end("failed" if isinstance(error, Exception) else "stopped", _words(error))
            raise
        finally:
            _close(tonight)
    return record.summary


@contextlib.contextmanager
def told(teller: Callable[[str], None]) -> Iterator[None]:
    """Tell `teller` what becomes of each capture inside the block."""
    token = _teller.set(teller)
    try:
        yield
    finally:
        _teller.reset(token)


def _go_through(tonight: Tonight) -> None:
    """First what is there already, then whatever is whole, and again until all is done or still being written."""
    request, record = tonight.request, tonight.record
    camera = tonight.config.camera
    skip = [p for p in (record.out, tonight.store.root, camera.dark, camera.flat) if p is not None]
    found = night_at(request.folder, skip)
    chosen = found.between(request.since, request.until)
    log.info("%d captures, %d of the nights asked for", len(found.captures), len(chosen))
    record.write()
    tonight.left = [c for c in chosen if not _done_before(tonight, c)]
    _check_room(tonight)
    while tonight.left:
        ready = [c for c in tonight.left if tonight.watch.whole(c.path)]
        attempted = [c for c in ready if _attempt(tonight, c)]
        tonight.left = [c for c in tonight.left if c not in attempted]
        if attempted:
            tonight.waiting_since = None
        elif tonight.left and _give_up(tonight):
            break
        elif tonight.left:
            time.sleep(tonight.night.look_s)
    for recording in tonight.left:
        why = "it is still being written; the same command again takes it when it is whole"
        record.add(Row(recording.name, str(recording.path), "waiting", reason=why))


def _give_up(tonight: Tonight) -> bool:
    """Nothing could be done just now. Has every capture had the time to prove that it does not change any more?"""
    unsettled = [c for c in tonight.left if not tonight.watch.settled(c.path)]
    now = time.monotonic()
    if tonight.waiting_since is None or len(unsettled) < len(tonight.left):
        if tonight.waiting_since is None:
            words = f"waiting for {len(tonight.left)} captures that may still be written or are another process's"
            log.info("%s", words)
            _tell(words)
        tonight.waiting_since = now  # one that is whole is in the hands of another process, which will finish it or die
    return now - tonight.waiting_since > tonight.night.settle_s + 2 * tonight.night.look_s


def _done_before(tonight: Tonight, recording: Recording) -> bool:
    """Are the results of this very capture and these settings there? Asked without reading its frames."""
    seconds = clock()
    with contextlib.suppress(StillskyError, BadConfig, OSError):
        report = published(output_folder(tonight.record.out, recording.name))
        if not report or recalled(tonight.store, recording.path) is None:
            return False
        result = tonight.line(recording, known_fingerprint(tonight.store))[-1]
        if report.get("product") == f"{result.step}/{result.key}":
            tonight.record.add(row_of(recording.name, recording.path, "cached", seconds(), report))
            return True
    return False


def _attempt(tonight: Tonight, recording: Recording) -> bool:
    """Restore one capture in a run of its own; False where it has to wait."""
    with tonight.store.claim_folder(tonight.record.out / recording.name) as mine:
        if not mine:
            return False
        if _done_before(tonight, recording):  # by another night, since this one looked
            return True
        seconds = clock()
        _tell(f"{recording.name} ...")
        try:
            row = _restored(tonight, recording, seconds)
        except (KeyboardInterrupt, CancelledRun):
            raise
        except Unsettled as error:
            log.info("%s", error)
            return False
        except Exception as error:
            if not isinstance(error, StillskyError | BadConfig):
                log.exception("%s: unexpected", recording.name)
            outcome: Outcome = "skipped" if isinstance(error, NothingToDo) else "failed"
            row = Row(recording.name, str(recording.path), outcome, None, round(seconds(), 3), reason=_words(error))
        tonight.record.add(row)
        _tell(f"{recording.name} {row.outcome} {row.reason}")
    return True


def _restored(tonight: Tonight, recording: Recording, seconds: Callable[[], float]) -> Row:
    known = False
    with contextlib.suppress(StillskyError, BadConfig):  # told by the run itself
        known = tonight.store.has(tonight.line(recording, known_fingerprint(tonight.store))[-1])
    report = capture(tonight.asked(recording))
    return row_of(recording.name, recording.path, "cached" if known else "restored", seconds(), report)


def _check_room(tonight: Tonight) -> None:
    """Is there room for what is left to do? Better asked now than found out in the middle of the night."""
    new = [c for c in tonight.left if not _ingested(tonight, c)]
    needed = sum(frame_bytes(c.path) for c in new) * tonight.night.room_ratio
    free, spare = tonight.store.free_bytes(), tonight.night.spare_gb * 1e9
    log.info("%d captures to do, about %s; %s free", len(tonight.left), human_bytes(needed), human_bytes(free))
    if tonight.left and free < needed + spare:
        raise StoreError(
            f"the store {tonight.store.root} has {human_bytes(free)} free; {len(new)} new captures need about "
            f"{human_bytes(needed)}, and {human_bytes(spare)} are to stay free: make room, e.g. with `stillsky store "
            f"prune`, choose another disk with --store, or lower night.room_ratio or night.spare_gb"
        )


def _ingested(tonight: Tonight, recording: Recording) -> bool:
    """Are its frames in the store already?"""
    with contextlib.suppress(StillskyError, BadConfig, OSError):
        if recalled(tonight.store, recording.path) is not None:
            return tonight.store.has(tonight.line(recording, known_fingerprint(tonight.store))[0])
    return False


def _close(tonight: Tonight) -> None:
    """The table for the UI, room in the store, and word to the user; none of it can fail a night that is over."""
    record = tonight.record
    columns = ("capture", "outcome", "published", "seconds", "d_over_r0", "gain", "reason")
    rows = record.summary["captures"]
    table = [{k: round(row[k], 3) if isinstance(row[k], float) else row[k] for k in columns} for row in rows]
    steps: tuple[Callable[[], object], ...] = (
        partial(create_table_artifact, table=table, key="night", description=f"{record.folder}: {record.state}"),
        partial(_make_room, tonight),
        partial(notify, tonight.night, record.summary),
    )
    for each in steps:
        try:
            each()
        except Exception as error:
            log.warning("after the night: %s", _words(error))


def _make_room(tonight: Tonight) -> None:
    forget_missing(tonight.store)
    done = retain(tonight.store, tonight.config.store)
    if done.removed:
        log.info("removed %d products, %s", len(done.removed), human_bytes(done.freed_bytes))


def _tell(line: str) -> None:
    teller = _teller.get()
    if teller is not None:
        teller(line)


def _words(error: BaseException) -> str:
    """An error in words; one that stillsky does not know by its class, too."""
    known = isinstance(error, StillskyError | BadConfig)
    return str(error) if known else f"{type(error).__name__}: {error}".rstrip(": ")
