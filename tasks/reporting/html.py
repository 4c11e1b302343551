"""report.html: one self-contained page; nothing is fetched, and nothing from a capture is ever run."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image as Pillow

from storage.results.export import black_and_white, stretched
from tasks.reporting.svg import Chart, drawn

Image = NDArray[np.float32]
TEMPLATES = Path(__file__).parent / "templates"
HEAVY_BYTES, LARGEST_PX = 90_000, 960
"""A picture whose PNG is heavier than this is sent as a JPEG no larger than that: the page stays light, the FITS exact."""
HEAT = ((0, 0, 4), (51, 10, 92), (128, 31, 108), (199, 62, 76), (243, 120, 25), (250, 193, 39), (252, 255, 164))
"""Colours of faint to bright light in PSFs, and of little to much misfit."""


@dataclass(frozen=True)
class Picture:
    """One view of the target; all views of a page share their black and white."""

    key: str
    title: str
    caption: str
    light: Image
    """(channel, y, x) in camera units."""


@dataclass(frozen=True)
class Tile:
    """A map in false colours: a PSF."""

    title: str
    caption: str
    values: Image
    """(y, x)."""


@dataclass(frozen=True)
class Misfit:
    """Where the model fails the frames."""

    ratio: Image
    """(y, x) mean squared misfit over the noise, one where only noise is left; nan where it is not known."""
    frames: int
    """How many were compared."""

    @property
    def median(self) -> float:
        """Over the pixels."""
        return float(np.nanmedian(self.ratio)) if np.isfinite(self.ratio).any() else float("nan")


@dataclass(frozen=True)
class Belief:
    """How far the published picture is believed."""

    share: Image
    """(y, x) standard error over the target's light."""
    finest: str
    """Period of the finest structure that is believed, with its unit."""

    @property
    def brightest(self) -> float:
        """Standard error, over the target's light, at the bright end of the scale."""
        return max(float(np.percentile(self.share, 99.5)), 1e-12)

    @property
    def sentence(self) -> str:
        """The map in words."""
        middle, most = (f"{100 * each:.2g} %" for each in (float(np.median(self.share)), float(self.share.max())))
        return (
            f"Standard error of every pixel of what is published, over the light of the target: {middle} is the median, "
            f"{most} the largest; structure finer than {self.finest} is not believed."
        )


@dataclass(frozen=True)
class Stage:
    """One stage on the way to the sky."""

    title: str
    picture: str
    """Key of its picture."""
    rows: Mapping[str, str]
    """What it took and what it reached."""


@dataclass(frozen=True)
class Page:
    """All that the page shows."""

    report: Mapping[str, Any]
    """What report.json holds."""
    made: float
    """When the result was made, Unix seconds."""
    stretch: str
    figures: Mapping[str, tuple[str, str]]
    """The few numbers worth a headline: name, value, remark."""
    pictures: tuple[Picture, ...]
    stages: tuple[Stage, ...]
    frames: tuple[Chart, ...]
    seeing: tuple[Chart, ...]
    resolution: tuple[Chart, ...]
    psfs: tuple[Tile, ...]
    psf_note: str
    misfit: Misfit | None
    belief: Belief | None = None


def filled(template: str, **values: Any) -> str:
    """A page of templates/TEMPLATE.html with its style and script; every word is escaped, and only that script may run."""
    loader = FileSystemLoader(TEMPLATES)
    forms = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    forms.filters.update(chart=drawn, number=_number, plain=_plain)
    script = (TEMPLATES / f"{template}.js").read_text(encoding="utf-8")
    return forms.get_template(f"{template}.html").render(
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )


def rendered(page: Page) -> str:
    """The page of a result as HTML."""
    return filled(
        "page",
        page=page,
        report=page.report,
        pictures=_developed(page.pictures, page.stretch),
        aspect=_aspect(page.pictures),
        tiles=[
            (tile, _data_uri(_heated(np.sqrt(np.clip(tile.values / tile.values.max(), 0, 1))))) for tile in page.psfs
        ],
        misfit=_misfit_uri(page.misfit) if page.misfit else "",
        belief=_data_uri(_heated(np.clip(page.belief.share / page.belief.brightest, 0, 1))) if page.belief else "",
        longest=max([0.001, *(t for name, t in page.report["seconds"].items() if name != "total")]),
        settings=_flat(page.report["settings"]),
        made=datetime.fromtimestamp(page.made, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _developed(pictures: tuple[Picture, ...], stretch: str) -> list[tuple[Picture, str]]:
    """Every picture as a data URI, all with one black and one white, so that they can be compared."""
    ends = black_and_white(np.concatenate([picture.light for picture in pictures], axis=-1))
    found = []
    for picture in pictures:  # one by one: those of a large frame take as much memory as all else
        codes = (stretched(picture.light, stretch, ends) >> 8).astype(np.uint8)
        found.append((picture, _data_uri(codes if codes.shape[-1] == 3 else codes[..., 0])))
    return found


def _aspect(pictures: tuple[Picture, ...]) -> str:
    height, width = pictures[0].light.shape[-2:]
    return f"{width} / {height}"


def _data_uri(codes: NDArray[np.uint8]) -> str:
    """8 bit codes (y, x) or (y, x, 3 or 4) as PNG, or as JPEG where that would be too heavy."""
    picture, body, kind = Pillow.fromarray(codes), BytesIO(), "png"
    picture.save(body, "PNG", optimize=True)
    if body.tell() > HEAVY_BYTES and picture.mode in ("L", "RGB"):
        picture.thumbnail((LARGEST_PX, LARGEST_PX))
        body, kind = BytesIO(), "jpeg"
        picture.save(body, "JPEG", quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(body.getvalue()).decode()}"


def _heated(values: Image) -> NDArray[np.uint8]:
    """Values 0..1 (y, x) in false colours, (y, x, 4): what is not a number is transparent."""
    known = np.nan_to_num(values, nan=0.0)
    stops = np.linspace(0, 1, len(HEAT))
    colours = [np.interp(known, stops, channel) for channel in np.array(HEAT, float).T]
    return np.stack([*colours, 255.0 * np.isfinite(values)], axis=-1).astype(np.uint8)


def _misfit_uri(misfit: Misfit) -> str:
    """From no misfit (dark) to four times the noise (bright)."""
    return _data_uri(_heated(np.clip(misfit.ratio / 4, 0, 1)))


def _flat(tree: Mapping[str, Any], name: str = "") -> dict[str, dict[str, Any]]:
    """Settings as table -> name -> value; rounds become tables of their own."""
    tables: dict[str, dict[str, Any]] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            tables.update(_flat(value, f"{name}{key}."))
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            for number, each in enumerate(value, start=1):
                tables.update(_flat(each, f"{name}{key} {number}."))
        else:
            tables.setdefault(name.rstrip("."), {})[key] = value
    return tables


def _number(value: Any, digits: int = 3) -> str:
    """A number for people; what is not known is a dash."""
    return f"{value:.{digits}g}" if isinstance(value, int | float) and np.isfinite(value) else "–"


def _plain(value: Any) -> str:
    """A setting as it would be written."""
    if value is None:
        return "–"
    return ", ".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)
