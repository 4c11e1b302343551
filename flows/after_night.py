"""What follows a night: the table for the UI, the gallery, room in the store, the notify command."""

import logging
from collections.abc import Callable
from functools import partial

from prefect.artifacts import create_table_artifact

from configs.load import BadConfig
from configs.schema import Config
from flows.service.notify import notify
from flows.ui.report_links import address
from storage.captures.failed_captures import forget_missing_failures
from storage.captures.file_stability import forget_missing
from storage.errors import StillskyError
from storage.housekeeping import human_bytes, retain
from storage.results.night_record import COLUMNS, NightRecord
from storage.store import Store
from tasks.reporting.gallery import renew_gallery

log = logging.getLogger("stillsky")


def finish(record: NightRecord, config: Config, store: Store) -> None:
    """Do all that follows a night; none of it can fail a night that is over."""
    steps: tuple[Callable[[], object], ...] = (
        partial(_write_gallery, record),
        partial(_show_table, record),
        partial(_make_room, config, store),
        partial(notify, config.night, record.summary),
    )
    for step in steps:
        try:
            step()
        except Exception as error:
            log.warning("after the night: %s", as_sentence(error))


def as_sentence(error: BaseException) -> str:
    """An error as a sentence; with its class where stillsky does not know it."""
    known = isinstance(error, StillskyError | BadConfig)
    return str(error) if known else f"{type(error).__name__}: {error}".rstrip(": ")


def _write_gallery(record: NightRecord) -> None:
    if any(row.published for row in record.rows.values()) and (fault := renew_gallery(record.out)):
        log.warning("%s", fault)


def _show_table(record: NightRecord) -> None:
    rows = record.summary["captures"]
    table = [{k: round(row[k], 3) if isinstance(row[k], float) else row[k] for k in COLUMNS} for row in rows]
    page = address(record.out)
    gallery = f"; [gallery of the results]({page})" if page else ""
    create_table_artifact(table=table, key="night", description=f"{record.folder}: {record.state}{gallery}")


def _make_room(config: Config, store: Store) -> None:
    forget_missing(store)
    forget_missing_failures(store)
    pruned = retain(store, config.store)
    if pruned.removed:
        log.info("removed %d products, %s", len(pruned.removed), human_bytes(pruned.freed_bytes))
