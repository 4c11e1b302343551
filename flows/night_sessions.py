"""The sessions of a night: which captures of a turning planet belong together, and what becomes of each session."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from prefect.exceptions import CancelledRun

from configs.load import BadConfig
from configs.request import CaptureRequest
from configs.schema import Config
from configs.session_request import SessionRequest
from flows.after_night import as_sentence
from flows.sessions import planned_session, session
from storage.captures.night import Recording, capture_settings, output_folder
from storage.captures.sessions import MIN_PARTS, SessionGroup, sessions_in
from storage.errors import NothingToDo, StillskyError
from storage.results.night_record import NightRecord, Outcome, Row, row_of, row_without_result
from storage.results.published import published
from storage.store import Store, clock

log = logging.getLogger("stillsky")
RequestFor = Callable[[Recording], CaptureRequest]
"""The request for one capture of the night."""


def merge_sessions(
    captures: Sequence[Recording],
    request_for: RequestFor,
    record: NightRecord,
    store: Store,
    report: Callable[[str], None],
) -> None:
    """Make the sky of every session whose captures are done; one that cannot be made stops no other."""

    def settings(recording: Recording) -> Config | None:
        with suppress(BadConfig, StillskyError):  # told by its own run
            return capture_settings(request_for(recording))
        return None

    for group in sessions_in(captures, settings):
        row = _waiting(group, record) or _row(group, request_for, record, store)
        if row is not None:
            record.add(row)
            report(f"{group.name} {row.outcome} {row.reason}")


def _row(group: SessionGroup, request_for: RequestFor, record: NightRecord, store: Store) -> Row | None:
    """What became of a session; None where another process makes it, or its captures failed."""
    done = [(p, s) for p, s in zip(group.parts, group.slots, strict=True) if _is_done(p, record)]
    if len(done) < MIN_PARTS or {s for _, s in done} != set(group.slots):
        return None
    seconds = clock()
    with store.claim_folder(record.out / group.name) as mine:
        if not mine:
            return None
        try:
            parts, slots = tuple(request_for(part) for part, _ in done), tuple(slot for _, slot in done)
            request = SessionRequest(
                name=group.name, planet=group.planet, parts=parts, slots=slots, store=store.root, as_published=True,
                out=output_folder(record.out, group.name),
            )  # fmt: skip
            found, product = published(request.out), planned_session(store, request)
            known = product is not None and found.get("product") == f"{product.step}/{product.key}"
            made = found if known else session(request)
            return row_of(group.name, group.parts[0].path.parent, "cached" if known else "restored", seconds(), made)
        except (KeyboardInterrupt, CancelledRun):
            raise
        except Exception as error:
            if not isinstance(error, StillskyError | BadConfig):
                log.exception("%s: unexpected", group.name)
            outcome: Outcome = "skipped" if isinstance(error, NothingToDo) else "failed"
            return _told(group, outcome, as_sentence(error), seconds())


def _is_done(part: Recording, record: NightRecord) -> bool:
    row = record.rows.get(part.name)
    return row is not None and row.published is not None


def _waiting(group: SessionGroup, record: NightRecord) -> Row | None:
    """The row of a session one of whose captures is not done yet; one that failed is left out."""
    for part in group.parts:
        row = record.rows.get(part.name)
        if row is None or row.outcome == "waiting":
            return _told(group, "waiting", f"its capture {part.name} is not done")
    return None


def _told(group: SessionGroup, outcome: Outcome, reason: str, seconds: float = 0.0) -> Row:
    return row_without_result(
        group.name, group.parts[0].path.parent, outcome, reason, seconds, will_be_tried_again=True
    )
