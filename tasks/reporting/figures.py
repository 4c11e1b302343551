"""The figures of a report that people read, with their units: misfit, resolved detail in arcsec, gain in sharpness."""

import math
from collections.abc import Mapping
from typing import Any

from configs.schema import ARCSEC_PER_RAD, Telescope
from storage.results.gallery import KOLMOGOROV


def figures(report: Mapping[str, Any], channel: int) -> dict[str, float | None]:
    """Figures of one channel; what needs a telescope is None without it."""
    telescope = telescope_of(report)
    row, scale = report["channels"][channel], telescope.scale_arcsec
    r0_m = telescope.aperture_m / row["d_over_r0"] if telescope.aperture_m and row["d_over_r0"] > 0 else None
    sky, stack = row["heldout_chi2_sky"], row["heldout_chi2_stack"]
    return {
        "left unexplained by the sky, × noise": sky,
        "left unexplained by the stack, × noise": stack,
        "the sky explains held-out frames better, ×": stack / sky if sky > 0 else None,
        **_detail("resolved detail", row["halves_agree_cutoff_cpp"], scale),
        **_detail("finest the telescope passes", row["cutoff_cpp"], scale),
        "gain in sharpness over the stack, ×": report.get("sharpness_gain"),
        "seeing, D/r0": row["d_over_r0"],
        "seeing, r0 in cm": None if r0_m is None else 100 * r0_m,
        "seeing, FWHM of a star in arcsec": None
        if r0_m is None
        else KOLMOGOROV * telescope.wavelength_of(channel) * 1e-9 / r0_m * ARCSEC_PER_RAD,
    }


def telescope_of(report: Mapping[str, Any]) -> Telescope:
    """The telescope of a report's settings, in the pixels of its sky."""
    telescope = Telescope.model_validate(report["settings"].get("telescope", {}))
    return telescope.in_finer_pixels(report.get("sky_grid", {}).get("scale", 1))


def _detail(name: str, cutoff_cpp: float, scale_arcsec: float | None) -> dict[str, float | None]:
    """The period of the finest structure, in arcsec where the pixel scale is known, else in pixels."""
    period_px = 1 / cutoff_cpp if cutoff_cpp > 0 and math.isfinite(cutoff_cpp) else None
    if scale_arcsec is None:
        return {f"{name}, px": period_px}
    return {f"{name}, arcsec": None if period_px is None else period_px * scale_arcsec}
