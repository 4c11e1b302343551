"""index.html over a folder of results: small pictures, filters, the seeing over the nights; static, nothing is fetched."""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import quote

import numpy as np

from storage.errors import NothingToDo, StillskyError, StoreError
from storage.results.export import save_text
from storage.results.gallery import Entry, results_below
from tasks.reporting.html import filled
from tasks.reporting.svg import Chart, Mark, Series

INDEX = "index.html"
OWN_MARK = b'<meta name="generator" content="stillsky gallery">'
"""Only an index.html that holds this is written over."""
HEAD_BYTES = 4096
RENEWAL_RATIO = 50
"""So many times as long as its writing took passes before a gallery is written again."""
HOUR = timedelta(hours=1)
MOST_TICKS = 6
"""More dates would touch each other below a chart."""
EPOCH = datetime(2000, 1, 1)


@dataclass(frozen=True)
class NightSeeing:
    """The seeing of one night."""

    night: date
    captures: int
    begin: datetime
    """When its best hour began: the one with the smallest median D/r0."""
    within: int
    """Captures in that hour."""
    d_over_r0: float
    r0_cm: float
    fwhm_arcsec: float


@dataclass(frozen=True)
class Card:
    """One result as the page shows it."""

    entry: Entry
    link: str
    """Relative address of its folder."""


def write_gallery(folder: Path) -> int:
    """Write index.html over every result in a folder and below; returns how many there are."""
    entries = results_below(folder)
    if not entries:
        raise NothingToDo(f"{folder}: no results (report.json) here or below; give a folder that `stillsky` wrote to")
    index = folder / INDEX
    if not _is_own(index):
        raise StoreError(f"{index} is another program's and is left as it is; move it away, or choose another folder")
    save_text(index, gallery(entries))
    return len(entries)


def renew_gallery(folder: Path) -> str:
    """Write it where it can be written; returns why it could not be, for a log: no result is lost for it."""
    try:
        write_gallery(folder)
    except (StillskyError, OSError) as error:
        return f"no gallery in {folder}: {error}"
    return ""


@dataclass
class GalleryRenewal:
    """A gallery that is written again while results come in, so seldom that it costs one part in fifty of the time."""

    folder: Path
    due: float = 0.0
    """When it may be written next, in seconds of the monotonic clock."""

    def renew_if_due(self) -> bool:
        """Write it if that is not too soon; returns whether it was."""
        begun = time.monotonic()
        if begun < self.due:
            return False
        renew_gallery(self.folder)
        self.due = time.monotonic() + RENEWAL_RATIO * (time.monotonic() - begun)
        return True


def gallery(entries: Sequence[Entry]) -> str:
    """The page over results, which are in the order of recording."""
    cards = [Card(entry, quote(os.fsencode(entry.folder))) for entry in reversed(entries)]
    nights = sorted({entry.night for entry in entries if entry.night is not None})
    counts = {target: sum(entry.target == target for entry in entries) for target in {e.target for e in entries}}
    return filled(
        "gallery",
        title=_title(nights),
        cards=cards,
        nights=nights[::-1],
        targets=sorted(target for target in counts if target),
        compared=sorted(t for t, n in counts.items() if t and n > 1),
        seeing=seeing_of_nights(entries)[::-1],
        charts=seeing_charts(entries),
    )


def seeing_of_nights(entries: Sequence[Entry]) -> list[NightSeeing]:
    """The best hour of every night, of the captures whose time and seeing are known."""
    rows = []
    for night in sorted({entry.night for entry in entries if entry.night is not None}):
        known = [e for e in entries if e.night == night and e.started is not None and math.isfinite(e.d_over_r0)]
        hours = [[e for e in known if begin.started <= e.started < begin.started + HOUR] for begin in known]  # type: ignore[operator]
        if hours:
            best = min(hours, key=lambda hour: median(e.d_over_r0 for e in hour))
            figures = (_median(best, lambda e: e.d_over_r0), _median(best, lambda e: e.r0_cm))
            begin = best[0].started
            assert begin is not None
            rows.append(
                NightSeeing(night, len(known), begin, len(best), *figures, _median(best, lambda e: e.fwhm_arcsec))
            )
    return rows


def seeing_charts(entries: Sequence[Entry]) -> tuple[Chart, ...]:
    """D/r0, r0 and FWHM of every capture over time."""
    kinds: tuple[tuple[str, str, str, Callable[[Entry], float]], ...] = (
        ("FWHM of a star", "Long exposure, at 500 nm; small is good.", "FWHM (arcsec)", lambda e: e.fwhm_arcsec),
        ("Fried's parameter r₀", "At 500 nm; large is good.", "r₀ (cm)", lambda e: e.r0_cm),
        ("D/r₀", "At each capture's own wavelength; small is good.", "D/r₀", lambda e: e.d_over_r0),
    )
    clocked = [entry for entry in entries if entry.started is not None]
    charts = []
    for title, note, unit, value in kinds:
        shown = [entry for entry in clocked if math.isfinite(value(entry))]
        if shown:
            x, y = np.array([_days(e.started) for e in shown]), np.array([value(e) for e in shown])
            tips = tuple(f"{e.name}, {e.started:%Y-%m-%d %H:%M}: {value(e):.3g}" for e in shown)
            middle = Mark("y", float(np.median(y)), f"median {np.median(y):.3g}")
            ticks = _ticks([e.started for e in shown if e.started is not None])
            series = (Series("captures", x, y, "dots", 1, tips),)
            charts.append(Chart(title, note, "local time", unit, series, (middle,), (0.0, None), ticks))
    return tuple(charts)


def _median(entries: Sequence[Entry], value: Callable[[Entry], float]) -> float:
    known = [value(entry) for entry in entries if math.isfinite(value(entry))]
    return median(known) if known else math.nan


def _days(moment: datetime | None) -> float:
    return (moment - EPOCH) / timedelta(days=1) if moment is not None else math.nan


def _ticks(moments: Sequence[datetime]) -> tuple[tuple[float, str], ...]:
    """Hours below one night, midnights (UTC offset of the camera's clock) below several."""
    first, last = min(moments), max(moments)
    if last - first < timedelta(hours=14):
        hours = max(1, math.ceil((last - first) / HOUR / MOST_TICKS))
        begin = first.replace(minute=0, second=0, microsecond=0) + HOUR
        marks = [begin + k * hours * HOUR for k in range(MOST_TICKS + 1)]
        found = [mark for mark in marks if mark <= last] or [first]
        return tuple((_days(mark), f"{mark:%H:%M}") for mark in found)
    days = max(1, math.ceil((last - first) / timedelta(days=1) / (MOST_TICKS - 1)))
    begin = first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    marks = [begin + timedelta(days=k * days) for k in range(MOST_TICKS)]
    return tuple((_days(mark), f"{mark:%m-%d}") for mark in marks if mark <= last)


def _title(nights: Sequence[date]) -> str:
    if not nights:
        return "Results"
    if len(nights) == 1:
        return f"Night of {nights[0]}"
    return f"{len(nights)} nights, {nights[0]} to {nights[-1]}"


def _is_own(index: Path) -> bool:
    """Is there no index.html yet, or one that a gallery wrote?"""
    try:
        with index.open("rb") as file:
            return OWN_MARK in file.read(HEAD_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False
