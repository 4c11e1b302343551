"""A finished result on its way to the user: the files of the output folder, from the evaluated product."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import Hopeless, StoreError
from storage.results.export import save_bytes, save_fits, save_json, save_png, save_text, save_tiff, scale_cards
from storage.results.white_balance import White, white_balanced

Image = NDArray[np.float32]
Cards = dict[str, tuple[Any, str]]
STACK_THUMB, SKY_THUMB = "stack_thumb.png", "sky_thumb.png"
"""Small pictures of the target before and after, for the gallery."""
FILES = (
    "stack.fits",
    "belief.fits",
    "sky.fits",
    "sky.png",
    "sky.tif",
    STACK_THUMB,
    SKY_THUMB,
    "report.html",
    "report.json",
)
"""What is published, in this order."""
ENHANCED = ("sky_enhanced.fits", "sky_enhanced.png")
"""The enhanced picture, where one was made."""
BURST = ("burst.fits", "burst_sigma.fits")
"""A clean movie and its standard error, where one was made."""
DEWARPED = "stack_dewarped.fits"
"""The stack of locally registered frames, where one was made."""
UNBELIEVED = "sky_unbelieved.fits"
"""A sky that is not published whole."""


def published(out: Path) -> dict[str, Any]:
    """The report of a whole set of results in a folder; empty where there is none."""
    try:
        report = json.loads((out / FILES[-1]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_whole = isinstance(report, dict) and all((out / name).is_file() for name in FILES)
    return report if is_whole else {}


def check_folder(out: Path) -> None:
    """Can results be written to this folder, or can it be made? Better asked before the night's work than after."""
    nearest = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    if not nearest.is_dir():
        raise StoreError(f"{nearest} is a file, so {out} cannot hold results; choose another folder with --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise StoreError(f"{nearest} cannot be written; change its permissions or choose another folder with --out")


@dataclass(frozen=True)
class EnhancedPicture:
    """A picture beside the published one, and where it comes from."""

    picture: Image
    """(channel, y, x)."""
    scale: int
    """How many times finer its pixels are than the capture's."""
    history: tuple[str, ...]
    """What was done and checked: the lines of HISTORY cards."""
    model: str
    """Hash of the learned model; empty: none."""


def check_owner(out: Path, capture: str) -> None:
    """Refuse to write over the result of a capture with another name."""
    named = published(out).get("capture", {})
    owner = named.get("name") if isinstance(named, dict) else None
    if isinstance(owner, str) and owner != os.fsencode(capture).decode("utf-8", "replace"):
        raise Hopeless(f"{out} holds the result of {owner}; choose another folder with --out, or move that result away")


@dataclass(frozen=True)
class Cube:
    """Frames beside the published picture, and where they come from."""

    files: Mapping[str, NDArray[np.float32]]
    """Name of a file: its frames, (frame, y, x) or (frame, channel, y, x), or its picture (channel, y, x)."""
    history: tuple[str, ...]
    """What was done and checked: the lines of HISTORY cards."""
    model: str
    """Hash of the learned model; empty: none."""


@dataclass(frozen=True)
class Pictures:
    """What is published of a result."""

    sky: Image
    """(channel, y, x) what is published: the sky, a blend of sky and stack, or the stack."""
    stack: Image
    """(channel, y, x) the shift-average."""
    stretch: str
    """How sky.png is stretched."""
    white: White
    """White balance of sky.png and sky.tif."""
    scale_arcsec: float | None
    """Sky angle of one pixel."""
    solved: Image
    """(channel, y, x) the solved sky, published or not."""
    standard_error: Image
    """(channel, y, x) of what is published."""
    finest_believed_cpp: float
    """Finest spatial frequency at which the solved sky is believed, cycles/px; 0: at none."""
    thumbnails: tuple[bytes, bytes]
    """PNGs of the target in the stack and in what is published."""
    enhanced: EnhancedPicture | None = None
    """A sharper picture beside it."""
    cubes: tuple[Cube, ...] = ()
    """Frames beside it."""


def publish(out: Path, pictures: Pictures, report: Mapping[str, Any], page: str) -> None:
    """Leave the files of FILES in `out`; a sky that is not published whole beside them."""
    check_folder(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{out} cannot be made: {error.strerror}; choose another folder with --out") from None
    # The report comes last: where it is, the others are whole and of the same product.
    (out / FILES[-1]).unlink(missing_ok=True)
    for name in (UNBELIEVED, *ENHANCED, *BURST, DEWARPED):
        (out / name).unlink(missing_ok=True)
    history = [f"settings {key} = {json.dumps(value)}" for key, value in report["settings"].items()]
    finest: Cards = {"FINEST": (pictures.finest_believed_cpp, "cycles/px, finest believed of the solved sky")}
    contents: list[tuple[str, Image, str, Cards]] = [
        ("stack.fits", pictures.stack, "shift-average", {}),
        ("belief.fits", pictures.standard_error, "standard error of sky.fits", finest),
        ("sky.fits", pictures.sky, str(report["published"]), {}),
    ]
    if report.get("content", report["published"]) != "sky":
        contents.append((UNBELIEVED, pictures.solved, "solved sky, not believed", {}))
    for name, picture, what, more in contents:
        cards = _cards(report, what) | more | scale_cards(pictures.scale_arcsec, (picture.shape[-2], picture.shape[-1]))
        save_fits(out / name, picture, cards, history)
    balanced = white_balanced(pictures.sky, pictures.white)
    save_png(out / "sky.png", balanced, pictures.stretch)
    save_tiff(out / "sky.tif", balanced)
    if dated := report.get("winjupos"):
        save_png(out / f"{dated}.png", balanced, pictures.stretch)
        save_tiff(out / f"{dated}.tif", balanced)
    for name, png in zip((STACK_THUMB, SKY_THUMB), pictures.thumbnails, strict=True):
        save_bytes(out / name, png)
    if pictures.enhanced is not None:
        _save_enhanced(out, pictures, report, history)
    for cube in pictures.cubes:
        _save_cube(out, cube, report, history, pictures.scale_arcsec)
    save_text(out / "report.html", page)
    save_json(out / "report.json", report)


def _save_enhanced(out: Path, pictures: Pictures, report: Mapping[str, Any], history: list[str]) -> None:
    """The enhanced picture with the words that say how it was made: as FITS, and stretched as sky.png is."""
    enhanced = pictures.enhanced
    assert enhanced is not None
    picture, scale = enhanced.picture, pictures.scale_arcsec
    cards = _cards(report, "enhanced picture, see HISTORY") | {
        "SCALE": (enhanced.scale, "pixels finer by this factor"),
        "MODEL": (enhanced.model[:68] or "none", "learned model"),
    }
    cards |= scale_cards(None if scale is None else scale / enhanced.scale, (picture.shape[-2], picture.shape[-1]))
    save_fits(out / ENHANCED[0], picture, cards, [*enhanced.history, *history])
    save_png(out / ENHANCED[1], white_balanced(picture, pictures.white), pictures.stretch)


def _save_cube(
    out: Path, cube: Cube, report: Mapping[str, Any], history: list[str], scale_arcsec: float | None
) -> None:
    for name, frames in cube.files.items():
        cards = _cards(report, "frames to look at, see HISTORY") | {
            "MODEL": (cube.model[:68] or "none", "learned model")
        }
        cards |= scale_cards(scale_arcsec, (frames.shape[-2], frames.shape[-1]))
        save_fits(out / name, frames, cards, [*cube.history, *history])


def _cards(report: Mapping[str, Any], what: str) -> Cards:
    """The keywords that every picture has."""
    return {
        "BUNIT": ("adu", "camera units, linear"),
        "CAPTURE": (_ascii(report["capture"]["name"]), "name of the capture"),
        "FPRINT": (report["capture"]["fingerprint"], ""),
        "CREATOR": (f"stillsky {version('stillsky')}", "software"),
        "PRODUCT": (report["product"], "in the store"),
        "CONTENT": (what, "what this picture is"),
        "SKYSCALE": (report["sky_grid"]["published_scale"], "pixels for one of the camera's, along each axis"),
    } | {
        f"PART_{part['filter'][0].upper()}": (_ascii(part["name"]), f"capture through the {part['filter']} filter")
        for part in report.get("parts", ())
    }


def _ascii(name: str) -> str:
    """A name as a card can hold it."""
    return re.sub(r"[^ -~]", "?", name)[:68]
