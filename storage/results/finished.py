"""A published result read back from its folder, and the finished pictures left beside it."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.captures.target import target_in
from storage.errors import Hopeless
from storage.results.export import save_fits, save_json, save_png, save_tiff, scale_cards
from storage.results.published import check_folder

Image = NDArray[np.float32]

MAX_PICTURE_BYTES = 2_000_000_000
"""A larger FITS is no published picture."""


@dataclass(frozen=True)
class Result:
    """The pictures of one folder."""

    sky: Image
    """(channel, y, x)."""
    stack: Image
    """(channel, y, x)."""
    standard_error: Image
    """(channel, y, x) of the sky."""
    report: Mapping[str, Any]
    """What report.json holds."""

    def setting(self, section: str, name: str) -> Any:
        """A setting the result was made with; None where the report does not tell."""
        table = self.report.get("settings", {})
        part = table.get(section, {}) if isinstance(table, dict) else {}
        return part.get(name) if isinstance(part, dict) else None

    @property
    def scale_arcsec(self) -> float | None:
        """Sky angle of one pixel of the pictures."""
        camera = self._camera_scale_arcsec
        return None if camera is None else camera / self._grid("published_scale")

    @property
    def solved_pixels(self) -> float:
        """Pixels of the solved sky for one of the pictures': the report's frequencies are in cycles per pixel of that."""
        return self._grid("scale") / self._grid("published_scale")

    def _grid(self, name: str) -> float:
        grid = self.report.get("sky_grid")
        value = grid.get(name) if isinstance(grid, dict) else None
        return float(value) if value is not None and _positive(value) else 1.0

    @property
    def _camera_scale_arcsec(self) -> float | None:
        scale, focal, pixel = (
            self.setting("telescope", name) for name in ("pixel_scale_arcsec", "focal_length_mm", "pixel_size_um")
        )
        if _positive(scale):
            return float(scale)
        return 206.264806 * pixel / focal if _positive(focal) and _positive(pixel) else None


def read_result(folder: Path) -> Result:
    """Sky, stack, standard error and report of a folder that `restore` or `night` wrote."""
    if not (folder / "report.json").is_file():
        raise Hopeless(f"{folder}: holds no result (no report.json); give the folder that restore wrote with --out")
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Hopeless(f"{folder / 'report.json'}: cannot be read ({error}); restore the capture again") from None
    if not isinstance(report, dict):
        raise Hopeless(f"{folder / 'report.json'}: is no report; restore the capture again")
    sky, stack, sigma = (_picture(folder / name) for name in ("sky.fits", "stack.fits", "belief.fits"))
    if not sky.shape == stack.shape == sigma.shape:
        raise Hopeless(f"{folder}: sky.fits is {sky.shape}, stack.fits {stack.shape}; restore the capture again")
    return Result(sky, stack, sigma, report)


def save_finished(
    folder: Path, name: str, picture: Image, record: Mapping[str, Any], scale_arcsec: float | None, tiff: bool
) -> list[Path]:
    """NAME.fits, NAME.png and NAME.json, and NAME.tif where wanted; the record stands in all of them."""
    check_folder(folder)
    said = json.dumps(record, ensure_ascii=True)
    paths = [folder / f"{name}.{kind}" for kind in ("fits", "png", *(("tif",) if tiff else ()), "json")]
    cards: dict[str, tuple[Any, str]] = {
        "CREATOR": (f"stillsky {version('stillsky')}", "software"),
        "CONTENT": ("finished picture, see HISTORY", "for the eye, not to be measured"),
    } | scale_cards(scale_arcsec, (picture.shape[-2], picture.shape[-1]))
    save_fits(paths[0], picture, cards, [f"{key} = {json.dumps(value)}" for key, value in record.items()])
    save_png(paths[1], picture, str(record["stretch"]), said)
    if tiff:
        save_tiff(paths[2], picture, said)
    save_json(paths[-1], record)
    return paths


def winjupos_name(report: Mapping[str, Any]) -> str:
    """2026-11-20-2214_3-Jup: middle of the capture in UT, tenths of a minute, first three letters of the target."""
    capture = report.get("capture")
    middle_utc = capture.get("middle_utc") if isinstance(capture, dict) else None
    try:
        middle = datetime.fromisoformat(middle_utc).astimezone(UTC) if isinstance(middle_utc, str) else None
    except ValueError:
        middle = None
    if middle is None or not isinstance(capture, dict):
        raise Hopeless(
            "the report tells no time in UT of the capture's middle (its frames have no timestamps, or the result is "
            "older than 0.3.0), which a WinJUPOS name needs; restore it again, or leave --winjupos out"
        )
    named = str(capture.get("target") or target_in(str(capture.get("name", ""))) or "target")
    target = re.sub(r"[^A-Za-z0-9]", "", named)[:3].title() or "Tar"
    return f"{middle:%Y-%m-%d-%H%M}_{middle.second // 6}-{target}"


def add_winjupos_name(report: dict[str, Any], wanted: bool) -> str:
    """Put the name into a report where it is wanted, None and a sentence where it cannot be told; returns that for a log."""
    if wanted:
        report["winjupos"] = None
        try:
            report["winjupos"] = winjupos_name(report)
        except Hopeless as error:
            said = f"No file for WinJUPOS: {error}."
            report["verdict"].append(said)
            return said
    return ""


def _positive(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


def _picture(path: Path) -> Image:
    from astropy.io import fits

    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise Hopeless(f"{path}: larger than {MAX_PICTURE_BYTES} bytes, so it is no published picture")
        data = np.asarray(fits.getdata(path, ext=0), np.float32)
    except Hopeless:
        raise
    except Exception as error:  # astropy raises whatever a damaged file makes it stumble over
        raise Hopeless(f"{path}: cannot be read ({error}); restore the capture again") from None
    data = data[None] if data.ndim == 2 else data
    if data.ndim != 3 or len(data) not in (1, 3) or min(data.shape) < 1 or not np.isfinite(data).all():
        raise Hopeless(
            f"{path}: shape {data.shape}, {'finite' if np.isfinite(data).all() else 'not all finite'}; a picture is "
            "(y, x) or (3, y, x) of finite values, so restore the capture again"
        )
    return data
