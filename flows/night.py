"""Every capture of a night as a Prefect flow: a failure does not stop the others, and what is there already is not done again."""

import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.exceptions import CancelledRun

from configs.colour import Filter
from configs.load import BadConfig
from configs.request import CaptureRequest, NightRequest
from configs.schema import Config
from flows import night_time
from flows.after_night import as_sentence, finish
from flows.capture import capture
from flows.context import value_within
from flows.night_colours import combine_groups, find_groups
from flows.night_sessions import merge_sessions
from flows.recipe import planned_products
from flows.server.embedded import default_store
from flows.ui.run_state import ended
from storage.captures.capture import capture_at
from storage.captures.failed_captures import Attempt, failed_before, remember_failure
from storage.captures.file_stability import StabilityCheck, cached_fingerprint, remembered_fingerprint
from storage.captures.night import (
    Recording,
    capture_settings,
    frame_bytes,
    night_at,
    night_settings,
    output_folder,
    results_folder,
)
from storage.errors import BadCapture, Hopeless, NothingToDo, StillskyError, StoreError, Unsettled
from storage.housekeeping import human_bytes
from storage.product import Product, result_names
from storage.results.night_record import NightRecord, Outcome, Row, in_a_line, row_of, row_without_result
from storage.results.published import check_folder, published
from storage.store import Store, clock
from tasks.reporting.gallery import GalleryRenewal

log = logging.getLogger("stillsky")
_report_line: ContextVar[Callable[[str], None] | None] = ContextVar("report_line", default=None)


@dataclass
class NightRun:
    """A night that is being restored."""

    request: NightRequest
    config: Config
    store: Store
    record: NightRecord
    watch: StabilityCheck
    waiting_since: float | None = None
    """Since when all captures left are still being written, seconds of the monotonic clock."""
    left: list[Recording] = field(default_factory=list)
    """What is still to do."""
    gallery: GalleryRenewal = field(init=False)
    """The page over the results so far."""
    forecasts: dict[str, float] = field(default_factory=dict)
    """Capture still to do: how long its full run will take, seconds; 0 where that is not known."""
    deadline: float = float("inf")
    """When the night is to be over, in seconds of the epoch."""
    filters: dict[str, Filter] = field(default_factory=dict)
    """Capture that is part of a colour sky: the filter it was taken through."""

    def __post_init__(self) -> None:
        self.gallery = GalleryRenewal(self.record.out)

    @property
    def night(self) -> Any:
        """The settings for nights."""
        return self.config.night

    def request_for(self, recording: Recording) -> CaptureRequest:
        """The request for one of its captures."""
        same = self.request.model_dump(include={"config", "profile", "overrides", "device", "dask", "winjupos"})
        same |= {"store": self.store.root, "night": self.request.folder, "filter": self.filters.get(recording.name)}
        return CaptureRequest(capture=recording.path, out=output_folder(self.record.out, recording.name), **same)

    def attempt(self, recording: Recording) -> Attempt:
        """What the failure of a capture depends on."""
        try:
            config = capture_settings(self.request_for(recording))
        except BadConfig as error:
            return Attempt(recording.path, {"refused": str(error)})
        calibration = tuple(path for path in (config.camera.dark, config.camera.flat) if path is not None)
        return Attempt(recording.path, config.model_dump(mode="json"), calibration)

    def lineage(self, recording: Recording, known: Callable[[Path], str]) -> list[Product]:
        """Every product of a capture's recipe."""
        config = capture_settings(self.request_for(recording))
        camera = config.camera
        capture = capture_at(recording.path, camera.dark, camera.flat, camera.exposure_s, known, camera.mosaic)
        return planned_products(self.store, capture, config)


@flow(name="night", flow_run_name="{request.title}")
def night(request: NightRequest) -> dict[str, Any]:
    """Restore every capture of a folder, each in a run of its own; returns the summary, which is night.json too."""
    return ended(partial(_gone_through, request), in_a_line)


def _gone_through(request: NightRequest) -> dict[str, Any]:
    config, out = night_settings(request), results_folder(request)
    check_folder(out)
    store = Store(request.store or default_store())
    store.sweep()
    record = NightRecord(request.folder.absolute(), out)
    run = NightRun(request, config, store, record, StabilityCheck(config.night.settle_s, config.night.poll_s))
    run.deadline = night_time.next_at(request.by)
    with record.logged():
        log.info("night of %s begins; results in %s, store %s", request.folder, out, store.root)
        try:
            _restore_all(run)
            record.end("done")
        except BaseException as error:
            record.end("failed" if isinstance(error, Exception) else "stopped", as_sentence(error))
            raise
        finally:
            finish(record, config, store)
    return record.summary


def progress_to(report_line: Callable[[str], None]) -> AbstractContextManager[None]:
    """Call `report_line` with a line about each capture inside the block."""
    return value_within(_report_line, report_line)


def _restore_all(run: NightRun) -> None:
    """Skip what is there already, restore what is whole, and again until all is done or still being written."""
    request, record, camera = run.request, run.record, run.config.camera
    skip = [p for p in (record.out, run.store.root, camera.dark, camera.flat) if p is not None]
    found = night_at(request.folder, skip)
    chosen = found.between(request.since, request.until)
    log.info("%d captures, %d of the nights asked for", len(found.captures), len(chosen))
    record.write()
    groups, run.filters = find_groups(chosen, run.request_for, run.config.colour)
    run.left = [c for c in chosen if not _done_before(run, c)]
    _check_room(run)
    while run.left:
        ready = [c for c in run.left if run.watch.is_complete(c.path)]
        failed = [c for c in ready if _needs_preview(run, c) and _attempt(run, c, quick=True)]
        ready = sorted((c for c in ready if c not in failed), key=lambda c: run.forecasts.get(c.name) or float("inf"))
        attempted = failed + [c for c in ready if _attempt(run, c)]
        run.left = [c for c in run.left if c not in attempted]
        if attempted:
            run.waiting_since = None
        elif run.left and _stop_waiting(run):
            break
        elif run.left:
            time.sleep(run.night.poll_s)
    for recording in run.left:
        why = "it is still being written; the same command again takes it when it is whole"
        record.add(Row(recording.name, str(recording.path), "waiting", reason=why))
    combine_groups(groups, run.request_for, record, run.store, _report)
    merge_sessions(chosen, run.request_for, record, run.store, _report)


def _stop_waiting(run: NightRun) -> bool:
    """Nothing could be done just now: has every capture been watched long enough to know that it still changes?"""
    unsettled = [c for c in run.left if not run.watch.settled(c.path)]
    now = time.monotonic()
    if run.waiting_since is None or len(unsettled) < len(run.left):
        if run.waiting_since is None:
            message = f"waiting for {len(run.left)} captures that may still be written or are another process's"
            log.info("%s", message)
            _report(message)
        run.waiting_since = now  # one that is whole is in the hands of another process, which will finish it or die
    return now - run.waiting_since > run.night.settle_s + 2 * run.night.poll_s


def _done_before(run: NightRun, recording: Recording) -> bool:
    """Are the results of this very capture and these settings there? Asked without reading its frames."""
    seconds = clock()
    with contextlib.suppress(StillskyError, BadConfig, OSError):
        report = published(output_folder(run.record.out, recording.name))
        lacks_name = run.request.winjupos and "winjupos" not in report
        if not report or lacks_name or remembered_fingerprint(run.store, recording.path) is None:
            return False
        if report.get("products") == result_names(run.lineage(recording, cached_fingerprint(run.store))):
            run.record.add(row_of(recording.name, recording.path, "cached", seconds(), report))
            return True
    return False


def _attempt(run: NightRun, recording: Recording, quick: bool = False) -> bool:
    """Restore one capture in a run of its own; False where it has to wait, or where this was its preview."""
    with run.store.claim_folder(run.record.out / recording.name) as mine:
        if not mine:
            return False
        if _done_before(run, recording):  # by another night, since this one looked
            return True
        seconds = clock()
        if reason := _known_failure(run, recording):
            why = f"failed before, unchanged: {reason}"
            row: Row | None = row_without_result(recording.name, recording.path, "failed", why, seconds(), False)
        else:
            _report(f"{recording.name} ...")
            row = _tried(run, recording, seconds, quick)
        if row is None:
            return False
        if quick and row.outcome not in ("failed", "skipped"):
            _report(f"{recording.name} has a preview, {row.seconds:.0f} s")
            return False
        run.record.add(row)
        run.gallery.renew_if_due()
        _report(f"{recording.name} {row.outcome} {row.reason}")
    return True


def _tried(run: NightRun, recording: Recording, seconds: Callable[[], float], quick: bool) -> Row | None:
    """What became of a capture; None where it has to wait."""
    try:
        return _restored(run, recording, seconds, quick)
    except (KeyboardInterrupt, CancelledRun):
        raise
    except Unsettled as error:
        log.info("%s", error)
        return None
    except Exception as error:
        if not isinstance(error, StillskyError | BadConfig):
            log.exception("%s: unexpected", recording.name)
        if isinstance(error, BadCapture):
            remember_failure(run.store, run.attempt(recording), cached_fingerprint(run.store), str(error))
        outcome: Outcome = "skipped" if isinstance(error, NothingToDo) else "failed"
        again = not isinstance(error, Hopeless | BadConfig)
        return row_without_result(recording.name, recording.path, outcome, as_sentence(error), seconds(), again)


def _known_failure(run: NightRun, recording: Recording) -> str:
    """Why a capture failed before, where neither it nor its settings nor the version have changed; else empty."""
    if not run.request.retry_failed:
        with contextlib.suppress(StillskyError, OSError):  # reported by the run itself
            return failed_before(run.store, run.attempt(recording), cached_fingerprint(run.store))
    return ""


def _restored(run: NightRun, recording: Recording, seconds: Callable[[], float], quick: bool) -> Row:
    request, known = run.request_for(recording), False
    if quick:
        report = capture(request.model_copy(update={"quick": True}))
        return row_of(recording.name, recording.path, "restored", seconds(), report)
    with contextlib.suppress(StillskyError, BadConfig):  # told by the run itself
        known = run.store.has(run.lineage(recording, cached_fingerprint(run.store))[-1])
    budget_s = None
    if not known:
        budget_s, late = night_time.budget(run.store, request, run.forecasts, recording.name, run.deadline)
        if late is not None:
            return late
    report = capture(request.model_copy(update={"budget_s": budget_s}))
    run.forecasts.pop(recording.name, None)
    row = row_of(recording.name, recording.path, "cached" if known else "restored", seconds(), report)
    return replace(row, reason=night_time.few_frames(report))


def _needs_preview(run: NightRun, recording: Recording) -> bool:
    with contextlib.suppress(StillskyError):  # told by the run itself
        if run.request.quick and not published(output_folder(run.record.out, recording.name)):
            return night_time.takes_long(run.store, run.request_for(recording), run.forecasts, recording.name)
    return False


def _check_room(run: NightRun) -> None:
    """Is there room for what is left to do? Checked before anything starts."""
    new = [c for c in run.left if not _ingested(run, c)]
    needed = sum(frame_bytes(c.path) for c in new) * run.night.room_ratio
    free, spare = run.store.free_bytes(), run.night.spare_gb * 1e9
    told = night_time.sum_told(run.store, run.left, run.request_for)
    log.info("%s; %s of the store, %s free", told, human_bytes(needed), human_bytes(free))
    if run.left:
        _report(told)
    if run.left and free < needed + spare:
        raise StoreError(
            f"the store {run.store.root} has {human_bytes(free)} free; {len(new)} new captures need about "
            f"{human_bytes(needed)}, and {human_bytes(spare)} are to stay free: make room, e.g. with `stillsky store "
            f"prune`, choose another disk with --store, or lower night.room_ratio or night.spare_gb"
        )


def _ingested(run: NightRun, recording: Recording) -> bool:
    """Are its frames in the store already?"""
    with contextlib.suppress(StillskyError, BadConfig, OSError):
        if remembered_fingerprint(run.store, recording.path) is not None:
            return run.store.has(run.lineage(recording, cached_fingerprint(run.store))[0])
    return False


def _report(line: str) -> None:
    if (report_line := _report_line.get()) is not None:
        report_line(line)
