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

from storage.errors import StoreError
from storage.results.export import save_fits, save_json, save_png, save_text, save_tiff, scale_cards
from storage.results.white_balance import White, white_balanced

Image = NDArray[np.float32]
Cards = dict[str, tuple[Any, str]]
FILES = ("stack.fits", "belief.fits", "sky.fits", "sky.png", "sky.tif", "report.html", "report.json")
"""What is published, in this order."""
UNBELIEVED = "sky_unbelieved.fits"
"""A sky that is not published whole."""


def published(out: Path) -> dict[str, Any]:
    """The report of a whole set of results in a folder; empty where there is none."""
    try:
        report = json.loads((out / FILES[-1]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(report, dict) and all((out / name).is_file() for name in FILES)
    return report if whole else {}


def check_folder(out: Path) -> None:
    """Can results be written to this folder, or can it be made? Better asked before the night's work than after."""
    nearest = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    if not nearest.is_dir():
        raise StoreError(f"{nearest} is a file, so {out} cannot hold results; choose another folder with --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise StoreError(f"{nearest} cannot be written; change its permissions or choose another folder with --out")


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


def publish(out: Path, pictures: Pictures, report: Mapping[str, Any], page: str) -> None:
    """Leave the files of FILES in `out`; a sky that is not published whole beside them."""
    check_folder(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{out} cannot be made: {error.strerror}; choose another folder with --out") from None
    # The report comes last: where it is, the others are whole and of the same product.
    (out / FILES[-1]).unlink(missing_ok=True)
    (out / UNBELIEVED).unlink(missing_ok=True)
    history = [f"settings {key} = {json.dumps(value)}" for key, value in report["settings"].items()]
    finest: Cards = {"FINEST": (pictures.finest_believed_cpp, "cycles/px, finest believed of the solved sky")}
    contents: list[tuple[str, Image, str, Cards]] = [
        ("stack.fits", pictures.stack, "shift-average", {}),
        ("belief.fits", pictures.standard_error, "standard error of sky.fits", finest),
        ("sky.fits", pictures.sky, str(report["published"]), {}),
    ]
    if report["published"] != "sky":
        contents.append((UNBELIEVED, pictures.solved, "solved sky, not believed", {}))
    for name, picture, what, more in contents:
        cards = _cards(report, what) | more | scale_cards(pictures.scale_arcsec, (picture.shape[-2], picture.shape[-1]))
        save_fits(out / name, picture, cards, history)
    balanced = white_balanced(pictures.sky, pictures.white)
    save_png(out / "sky.png", balanced, pictures.stretch)
    save_tiff(out / "sky.tif", balanced)
    save_text(out / "report.html", page)
    save_json(out / "report.json", report)


def _cards(report: Mapping[str, Any], what: str) -> Cards:
    """The keywords that every picture has."""
    return {
        "BUNIT": ("adu", "camera units, linear"),
        "CAPTURE": (re.sub(r"[^ -~]", "?", report["capture"]["name"])[:68], "name of the capture"),
        "FPRINT": (report["capture"]["fingerprint"], ""),
        "CREATOR": (f"stillsky {version('stillsky')}", "software"),
        "PRODUCT": (report["product"], "in the store"),
        "CONTENT": (what, "what this picture is"),
    }
