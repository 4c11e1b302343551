"""The results in a folder and below, as a gallery shows them: read from their report.json, whatever that file holds."""

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from configs.schema import ARCSEC_PER_RAD
from storage.captures.target import night_of, target_in
from storage.results.published import SKY_THUMB, STACK_THUMB

MAX_DEPTH = 64
"""Results are searched for in folders nested this deep."""
MAX_REPORT_BYTES = 4_000_000
"""A report has some ten kilobytes; a larger file is none of ours."""
MAX_CHARS = 300
"""No text of a report is shown longer."""
KOLMOGOROV = 0.976
"""Long-exposure FWHM of a star in Kolmogorov turbulence, in units of wavelength / r0."""
STANDARD_NM = 500.0
"""Wavelength at which r0 and FWHM are stated, so that nights with different filters can be compared."""


@dataclass(frozen=True)
class Entry:
    """One result."""

    folder: Path
    """Relative to the gallery's folder."""
    name: str
    """Of the capture."""
    target: str
    """Empty where nothing names it."""
    started: datetime | None
    """Local time of the recording."""
    published: str
    """sky, blend, stack or preview."""
    verdict: str
    """The first sentence of the report's verdict."""
    frames: tuple[int, int]
    """Used, and in the capture."""
    d_over_r0: float
    """Strength of the seeing; nan: not known."""
    r0_cm: float
    """Fried's parameter at STANDARD_NM; nan where no telescope was given."""
    fwhm_arcsec: float
    """Long-exposure FWHM of a star at STANDARD_NM; nan where no telescope was given."""
    gain: float
    """What the stack leaves unexplained of held-out frames over what the sky leaves; nan: not known."""
    width_arcsec: float
    """Sky angle across its small pictures; nan: not known."""
    pictures: tuple[str, ...]
    """Names of its small pictures, stack and sky; of older results the sky alone."""

    @property
    def night(self) -> date | None:
        """The evening of the night it belongs to."""
        return night_of(self.started) if self.started else None


def results_below(folder: Path) -> list[Entry]:
    """Every result in a folder and below, in the order of recording; links to folders are not followed."""
    found = [entry for place in _folders(folder) if (entry := _entry(folder, place)) is not None]
    return sorted(found, key=lambda entry: (entry.started or datetime.min, str(entry.folder)))


def _folders(folder: Path) -> Iterator[Path]:
    for place, inner, files in os.walk(folder):
        here = Path(place)
        deep = len(here.relative_to(folder).parts) >= MAX_DEPTH
        inner[:] = [] if deep else sorted(name for name in inner if not name.startswith("."))
        if "report.json" in files:
            yield here


def _entry(folder: Path, place: Path) -> Entry | None:
    """The result in one folder; None where there is no report of ours."""
    try:
        file = place / "report.json"
        if file.stat().st_size > MAX_REPORT_BYTES or not (place / "report.html").is_file():
            return None
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    published = _get(report, "published")
    if published not in ("sky", "blend", "stack", "preview"):
        return None
    name = _text(_get(report, "capture", "name"))
    strength, r0_cm, fwhm = _seeing(report)
    known = tuple(each for each in (STACK_THUMB, SKY_THUMB) if (place / each).is_file())
    return Entry(
        folder=place.relative_to(folder),
        name=name or place.name,
        target=_text(_get(report, "capture", "target")) or target_in(name),
        started=_moment(_get(report, "capture", "started")),
        published=published,
        verdict=_text(_get(report, "verdict", 0)),
        frames=(_count(_get(report, "frames", "used")), _count(_get(report, "capture", "frames"))),
        d_over_r0=strength,
        r0_cm=r0_cm,
        fwhm_arcsec=fwhm,
        gain=_mean(report, "heldout_chi2_stack") / _mean(report, "heldout_chi2_sky"),
        width_arcsec=_number(_get(report, "thumbnails", "width_arcsec")),
        pictures=known if len(known) == 2 else tuple(n for n in ("sky.png",) if (place / n).is_file()),
    )


def _seeing(report: Any) -> tuple[float, float, float]:
    """D/r0 as measured, r0 (cm) and FWHM (arcsec) at STANDARD_NM; of the green channel of three."""
    channels = _get(report, "channels")
    shown = 1 if isinstance(channels, list) and len(channels) == 3 else 0
    strength = _number(_get(channels, shown, "d_over_r0"))
    aperture_m, wavelengths = (_get(report, "settings", "telescope", key) for key in ("aperture_m", "wavelength_nm"))
    if isinstance(wavelengths, list):
        wavelengths = wavelengths[min(shown, len(wavelengths) - 1)] if wavelengths else None
    wavelength_nm = _number(wavelengths)
    if not (strength > 0 and wavelength_nm > 0):
        return strength, math.nan, math.nan
    r0_m = _number(aperture_m) / strength * (STANDARD_NM / wavelength_nm) ** 1.2
    return strength, 100 * r0_m, KOLMOGOROV * STANDARD_NM * 1e-9 / r0_m * ARCSEC_PER_RAD if r0_m > 0 else math.nan


def _get(tree: Any, *path: str | int) -> Any:
    """A value deep inside; None where the tree is of another shape."""
    for name in path:
        if isinstance(tree, dict) and isinstance(name, str):
            tree = tree.get(name)
        elif isinstance(tree, list) and isinstance(name, int) and name < len(tree):
            tree = tree[name]
        else:
            return None
    return tree


def _mean(report: Any, name: str) -> float:
    """Mean of a figure over the channels; nan where one lacks it or it is not above zero."""
    channels = _get(report, "channels")
    values = [_number(_get(row, name)) for row in channels] if isinstance(channels, list) else []
    mean = sum(values) / len(values) if values else math.nan
    return mean if mean > 0 else math.nan


def _number(value: Any) -> float:
    """A finite number; else nan."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30
    return float(value) if known else math.nan


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**12 else 0


def _text(value: Any) -> str:
    """A text without control characters."""
    plain = value[:MAX_CHARS] if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in plain)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value).replace(tzinfo=None) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and 1900 <= moment.year <= 2200 else None
