"""The sessions of a night: which captures of a turning planet belong together, and what becomes of each session."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from configs.load import BadConfig
from configs.schema import Config
from configs.session_request import SessionRequest
from flows.night_skies import RequestFor, Whole, add_row, is_result_of
from flows.sessions import planned_session, session
from storage.captures.night import Recording, capture_settings, output_folder
from storage.captures.sessions import MIN_PARTS, SessionGroup, sessions_in
from storage.errors import NothingToDo, StillskyError
from storage.results.night_record import NightRecord, Outcome, Row
from storage.results.published import published
from storage.store import Store


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
        add_row(_waiting(group, record) or _row(group, request_for, record, store), record, report)


def _row(group: SessionGroup, request_for: RequestFor, record: NightRecord, store: Store) -> Row | None:
    """What became of a session; None where another process makes it, or its captures failed."""
    done = [(p, s) for p, s in zip(group.parts, group.slots, strict=True) if _is_done(p, record)]
    if len(done) < MIN_PARTS or {s for _, s in done} != set(group.slots):
        return None

    def make() -> tuple[bool, dict[str, Any]]:
        parts, slots = tuple(request_for(part) for part, _ in done), tuple(slot for _, slot in done)
        request = SessionRequest(
            name=group.name, planet=group.planet, parts=parts, slots=slots, store=store.root, as_published=True,
            out=output_folder(record.out, group.name),
        )  # fmt: skip
        found = published(request.out)
        known = is_result_of(found, planned_session(store, request))
        return known, found if known else session(request)

    def failed(error: Exception) -> Outcome:
        return "skipped" if isinstance(error, NothingToDo) else "failed"

    return _whole(group).attempt(record, store, make, failed)


def _is_done(part: Recording, record: NightRecord) -> bool:
    row = record.rows.get(part.name)
    return row is not None and row.published is not None


def _waiting(group: SessionGroup, record: NightRecord) -> Row | None:
    """The row of a session one of whose captures is not done yet; one that failed is left out."""
    for part in group.parts:
        row = record.rows.get(part.name)
        if row is None or row.outcome == "waiting":
            return _whole(group).row("waiting", f"its capture {part.name} is not done")
    return None


def _whole(group: SessionGroup) -> Whole:
    return Whole(group.name, group.parts[0].path.parent)
