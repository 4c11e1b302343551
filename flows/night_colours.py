"""The colour skies of a night: which captures through filters belong together, and what becomes of each group."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from configs.colour import Colour, Filter
from configs.load import BadConfig
from configs.request import ColourRequest
from flows.colours import colours, planned_group
from flows.night_skies import RequestFor, Whole, add_row, is_result_of
from storage.captures.colour_groups import ColourGroup, colour_groups
from storage.captures.night import Recording, capture_settings, output_folder
from storage.errors import StillskyError
from storage.results.night_record import NightRecord, Outcome, Row
from storage.results.published import published
from storage.store import Store

log = logging.getLogger("stillsky")


def find_groups(
    captures: Sequence[Recording], request_for: RequestFor, usual: Colour
) -> tuple[list[ColourGroup], dict[str, Filter]]:
    """The colour groups of a night, and the filter of each capture that is in one; what lacks a colour is logged."""

    def settings(recording: Recording) -> Colour:
        with suppress(BadConfig, StillskyError):  # told by its own run
            return capture_settings(request_for(recording)).colour
        return usual

    found = colour_groups(captures, settings)
    for sentence in found.sentences:
        log.info("%s", sentence)
    return found.groups, found.filters


def combine_groups(
    groups: Sequence[ColourGroup],
    request_for: RequestFor,
    record: NightRecord,
    store: Store,
    report: Callable[[str], None],
) -> None:
    """Make the colour sky of every group whose parts are there; a group that cannot be made stops no other."""
    for group in groups:
        add_row(_without_part(group, record) or _row(group, request_for, record, store), record, report)


def _row(group: ColourGroup, request_for: RequestFor, record: NightRecord, store: Store) -> Row | None:
    """What became of a group whose parts are there; None where another process makes it."""

    def make() -> tuple[bool, dict[str, Any]]:
        request = _request(group, request_for, record, store)
        found = published(request.out)
        known = is_result_of(found, planned_group(store, request))
        known = known and not (request.winjupos and "winjupos" not in found)
        return known, found if known else colours(request)

    return _whole(group).attempt(record, store, make, lambda _: "failed")


def _request(group: ColourGroup, request_for: RequestFor, record: NightRecord, store: Store) -> ColourRequest:
    parts = tuple(request_for(recording) for recording in group.parts.values())
    out = output_folder(record.out, group.name)
    return ColourRequest(
        name=group.name, parts=parts, out=out, store=store.root, winjupos=parts[0].winjupos, as_published=True
    )


def _without_part(group: ColourGroup, record: NightRecord) -> Row | None:
    """The row of a group that lacks a part: it waits for one that is not done, and is skipped for one that failed."""
    for filter_, recording in group.parts.items():
        row = record.rows.get(recording.name)
        if row is None or row.published is None:
            outcome: Outcome = "skipped" if row is not None and row.outcome in ("failed", "skipped") else "waiting"
            why = f"its {filter_} part {recording.name} {row.outcome if row else 'is not done'}"
            return _whole(group).row(outcome, f"{why}: {row.reason}" if row and row.reason else why)
    return None


def _whole(group: ColourGroup) -> Whole:
    return Whole(group.name, group.parts["red"].path.parent)
