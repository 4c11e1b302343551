"""The colour skies of a night: which captures through filters belong together, and what becomes of each group."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from prefect.exceptions import CancelledRun

from configs.colour import Colour, Filter
from configs.load import BadConfig
from configs.request import CaptureRequest, ColourRequest
from flows.after_night import as_sentence
from flows.colours import colours, planned_group
from storage.captures.colour_groups import ColourGroup, colour_groups
from storage.captures.night import Recording, capture_settings, output_folder
from storage.errors import StillskyError
from storage.results.night_record import NightRecord, Outcome, Row, row_of, row_without_result
from storage.results.published import published
from storage.store import Store, clock

log = logging.getLogger("stillsky")
RequestFor = Callable[[Recording], CaptureRequest]
"""The request for one capture of the night."""


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
        row = _without_part(group, record) or _row(group, request_for, record, store)
        if row is not None:
            record.add(row)
            report(f"{group.name} {row.outcome} {row.reason}")


def _row(group: ColourGroup, request_for: RequestFor, record: NightRecord, store: Store) -> Row | None:
    """What became of a group whose parts are there; None where another process makes it."""
    seconds = clock()
    with store.claim_folder(record.out / group.name) as mine:
        if not mine:
            return None
        try:
            request = _request(group, request_for, record, store)
            found = published(request.out)
            product = planned_group(store, request)
            known = product is not None and found.get("product") == f"{product.step}/{product.key}"
            known = known and not (request.winjupos and "winjupos" not in found)
            made = found if known else colours(request)
            outcome: Outcome = "cached" if known else "restored"
            return row_of(group.name, _place(group), outcome, seconds(), made)
        except (KeyboardInterrupt, CancelledRun):
            raise
        except Exception as error:
            if not isinstance(error, StillskyError | BadConfig):
                log.exception("%s: unexpected", group.name)
            return _told(group, "failed", as_sentence(error), seconds())


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
            return _told(group, outcome, f"{why}: {row.reason}" if row and row.reason else why)
    return None


def _told(group: ColourGroup, outcome: Outcome, reason: str, seconds: float = 0.0) -> Row:
    return row_without_result(group.name, _place(group), outcome, reason, seconds, will_be_tried_again=True)


def _place(group: ColourGroup) -> Path:
    """The folder of its parts."""
    return group.parts["red"].path.parent
