"""What a result measured, in units of the sky: resolved detail, r0, Strehl ratios of the frames, a double star."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.product import Product
from storage.store import Store
from tasks.numerics.judging.double_star import DoubleStar, double_star
from tasks.products.contents import Evaluated
from tasks.reporting.opened import open_products

PORTRAITS_AT_A_TIME = 64
"""PSFs whose portraits are made together."""


def add_measured(store: Store, result: Product, report: dict[str, Any], telescope: Telescope) -> None:
    """Put `measured` into the report, and a sentence on resolution, and on a double star, into its verdict."""
    rows = report["channels"]
    shown = 1 if len(rows) == 3 else 0
    row, scale = rows[shown], telescope.scale_arcsec
    finest = row["finest_believed_cpp"]
    measured: dict[str, Any] = {
        "resolved_arcsec": scale / finest if scale and finest > 0 else None,
        "resolved_lambda_over_d": row["cutoff_cpp"] / finest if telescope.aperture_m and finest > 0 else None,
        "resolved_px": 1 / finest if finest > 0 else None,
        "r0_cm": [100 * telescope.aperture_m / r["d_over_r0"] for r in rows] if telescope.aperture_m else None,
        "strehl": _strehl(store, result, telescope),
        "double_star": None,
    }
    with store.view(Evaluated, result) as judged:
        picture, sigma = judged.published[shown], judged.belief[shown]
    pair = double_star(picture, sigma, row["cutoff_cpp"], telescope.obstruction)
    if pair is not None:
        measured["double_star"] = _pair(pair, scale)
    report["measured"] = measured
    report["verdict"] += sentences(measured)


def sentences(measured: dict[str, Any]) -> list[str]:
    """The figures in words."""
    said, detail, pair = [], measured["resolved_lambda_over_d"], measured["double_star"]
    if detail is None and measured["resolved_px"] is not None:
        said.append(f"Detail is resolved down to a period of {measured['resolved_px']:.1f} px.")
    if detail is not None:
        angle = f"{measured['resolved_arcsec']:.2f} arcsec, " if measured["resolved_arcsec"] else ""
        said.append(
            f"Detail is resolved down to a period of {angle}{detail:.2f} times the wavelength over the aperture."
        )
    if pair is not None:
        unit, factor = (
            ("arcsec", pair["separation_arcsec"]) if pair["separation_arcsec"] else ("px", pair["separation_px"])
        )
        said.append(
            f"A double star: {factor[0]:.3f} ± {factor[1]:.3f} {unit} apart, angle {pair['angle_deg'][0]:.1f} ± "
            f"{pair['angle_deg'][1]:.1f}° (image axes: from up counter-clockwise), Δm {pair['delta_magnitude'][0]:.2f} ± "
            f"{pair['delta_magnitude'][1]:.2f}."
        )
    return said


def _pair(pair: DoubleStar, scale: float | None) -> dict[str, Any]:
    """Each figure with its standard error."""
    apart = (pair.separation_px, pair.separation_error_px)
    return {
        "separation_px": list(apart),
        "separation_arcsec": None if scale is None else [scale * value for value in apart],
        "angle_deg": [pair.angle_deg, pair.angle_error_deg],
        "angle_from": "image axes: from up (towards row 0) counter-clockwise (towards column 0)",
        "delta_magnitude": [pair.delta_magnitude, pair.delta_magnitude_error],
    }


def _strehl(store: Store, result: Product, telescope: Telescope) -> dict[str, Any]:
    """Of the solved frames: the peak of each PSF over that of the telescope without air."""
    with open_products(store, result, telescope) as opened:
        (numbers, found), size = opened.solved, PORTRAITS_AT_A_TIME
        parts = [
            opened.model.portraits(found[k : k + size], opened.aperture, opened.portrait_px)
            for k in range(0, len(numbers), size)
        ]
    peaks: NDArray[np.float64] = np.concatenate([part.max(axis=(1, 2)) for part in parts]).astype(np.float64)
    order = np.argsort(numbers, kind="stable")
    return {
        "median": float(np.median(peaks)),
        "best": float(peaks.max()),
        "frames": [int(k) for k in numbers[order]],
        "of_frames": [round(float(value), 4) for value in peaks[order]],
    }
