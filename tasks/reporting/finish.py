"""A finished picture of a published result: blend, deconvolution, wavelets, crop, scale and white balance."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.finish import Finish
from storage.results.finished import Result, read_result, save_finished, winjupos_name
from storage.results.white_balance import white_balanced
from tasks.numerics.finishing.richardson_lucy import deconvolved, shown_part
from tasks.numerics.finishing.scale import upscaled
from tasks.numerics.finishing.target_crop import Box, square_around
from tasks.numerics.finishing.transfer import Transfer
from tasks.numerics.finishing.wavelets import with_factors
from tasks.numerics.judging.double_star import annular_transfer

Image = NDArray[np.float32]

NAME = "finished"
"""Name of the files, unless they are named for WinJUPOS."""
ITERATIONS = 30
"""Most Richardson-Lucy iterations; it stops before where the picture is explained to its standard error."""
CURVE_POINTS = 257
EDGE_LOSS = 3.0
"""Exponent of the Gaussian transfer through which the deconvolved sky is shown, at the telescope's cut-off: exp(-3) = 0.05."""


def write_finish(folder: Path, settings: Finish, out: Path, tiff: bool, winjupos: bool) -> list[Path]:
    """Finish the result in `folder` and leave the pictures in `out`; nothing in `folder` is changed but by new files."""
    result = read_result(folder)
    name = f"{winjupos_name(result.report)}-{NAME}" if winjupos else NAME
    box = square_around(result.sky.mean(axis=0)) if settings.crop == "auto" else None
    picture = finished_picture(result, settings, box)
    scale = None if result.scale_arcsec is None else result.scale_arcsec / settings.scale
    record: dict[str, Any] = settings.model_dump(mode="json") | {
        "crop_px": None if box is None else {"top": box.top, "left": box.left, "side": box.side},
        "pixel_scale_arcsec": scale,
        "product": result.report.get("product"),
    }
    return save_finished(out, name, picture, record, scale, tiff)


def finished_picture(result: Result, settings: Finish, box: Box | None) -> Image:
    """The picture (channel, y, x): all in linear light, white balance last."""
    blend = np.float32(settings.blend)
    light = result.sky if settings.blend == 1 else blend * result.sky + (1 - blend) * result.stack
    planes = []
    for c, plane in enumerate(light):
        sharp = _sharpened(result, plane, c, settings.sharpen)
        layered = with_factors(sharp, settings.wavelets)
        planes.append(upscaled(box.of(layered) if box else layered, settings.scale))
    return white_balanced(np.stack(planes), settings.white)


def _sharpened(result: Result, plane: Image, channel: int, strength: float) -> Image:
    """One channel (y, x) without a fraction of the telescope's diffraction."""
    if strength == 0:
        return plane
    frequencies = np.linspace(0, 0.75, CURVE_POINTS)
    u = np.clip(frequencies / _cutoff_cpp(result, channel), 0, 1)
    diffraction = annular_transfer(u, 0.0)
    shown = np.where(u < 1, np.exp(-EDGE_LOSS * u**2), 0.0)
    transfer = Transfer(frequencies, shown, diffraction)
    background = float(np.percentile(plane, 1))
    sharp = deconvolved(plane, transfer, result.standard_error[channel], background, ITERATIONS)
    return shown_part(plane, sharp.picture, strength)


def _cutoff_cpp(result: Result, channel: int) -> float:
    """Optical cut-off as the report tells; half a cycle per pixel where it does not."""
    rows = result.report.get("channels")
    row = rows[channel] if isinstance(rows, list) and channel < len(rows) else {}
    value = row.get("cutoff_cpp") if isinstance(row, dict) else None
    if not isinstance(value, int | float) or not np.isfinite(value):
        return 0.5
    return float(np.clip(value * result.solved_pixels, 0.02, 0.75))
