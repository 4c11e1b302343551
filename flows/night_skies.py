"""What becomes of the skies of a night that are made of several captures."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.exceptions import CancelledRun

from configs.load import BadConfig
from configs.request import CaptureRequest
from flows.after_night import as_sentence
from storage.captures.night import Recording
from storage.errors import StillskyError
from storage.product import Product
from storage.results.night_record import NightRecord, Outcome, Row, row_of, row_without_result
from storage.store import Store, clock

log = logging.getLogger("stillsky")
RequestFor = Callable[[Recording], CaptureRequest]
"""The request for one capture of the night."""


@dataclass(frozen=True)
class Whole:
    """A sky of several captures: its name in the night, and the folder of its captures."""

    name: str
    place: Path

    def row(self, outcome: Outcome, reason: str, seconds: float = 0.0) -> Row:
        """It has no result, and why."""
        return row_without_result(self.name, self.place, outcome, reason, seconds, will_be_tried_again=True)

    def attempt(
        self,
        record: NightRecord,
        store: Store,
        make: Callable[[], tuple[bool, dict[str, Any]]],
        failed: Callable[[Exception], Outcome],
    ) -> Row | None:
        """Its row; None where another process makes it. `make` tells whether the result was there, and its report."""
        seconds = clock()
        with store.claim_folder(record.out / self.name) as mine:
            if not mine:
                return None
            try:
                known, report = make()
                return row_of(self.name, self.place, "cached" if known else "restored", seconds(), report)
            except (KeyboardInterrupt, CancelledRun):
                raise
            except Exception as error:
                if not isinstance(error, StillskyError | BadConfig):
                    log.exception("%s: unexpected", self.name)
                return self.row(failed(error), as_sentence(error), seconds())


def add_row(row: Row | None, record: NightRecord, report: Callable[[str], None]) -> None:
    """Note and tell a row where there is one."""
    if row is not None:
        record.add(row)
        report(f"{row.capture} {row.outcome} {row.reason}")


def is_result_of(report: dict[str, Any], product: Product | None) -> bool:
    """Is this report that of the product that would be made?"""
    return product is not None and report.get("product") == f"{product.step}/{product.key}"
