"""Figures for people: arcsec where the telescope is known, pixels where it is not."""

from typing import Any

import pytest

from tasks.reporting.figures import figures


def report(**telescope: Any) -> dict[str, Any]:
    row = {
        "heldout_chi2_sky": 1.1, "heldout_chi2_stack": 5.5, "halves_agree_cutoff_cpp": 0.25, "cutoff_cpp": 0.5,
        "d_over_r0": 5.0,
    }  # fmt: skip
    return {"settings": {"telescope": telescope}, "channels": [row], "sharpness_gain": 2.5}


def test_with_a_telescope_detail_is_in_arcsec() -> None:
    rows = figures(report(aperture_m=0.25, pixel_scale_arcsec=0.2, wavelength_nm=500.0), 0)
    assert rows["resolved detail, arcsec"] == pytest.approx(0.8)
    assert rows["finest the telescope passes, arcsec"] == pytest.approx(0.4)
    assert rows["the sky explains held-out frames better, ×"] == pytest.approx(5.0)
    assert rows["gain in sharpness over the stack, ×"] == 2.5
    assert rows["seeing, r0 in cm"] == pytest.approx(5.0)
    assert rows["seeing, FWHM of a star in arcsec"] == pytest.approx(2.01, abs=0.01)


def test_without_one_in_pixels() -> None:
    rows = figures(report(), 0)
    assert rows["resolved detail, px"] == 4.0
    assert rows["seeing, r0 in cm"] is None


def test_nothing_resolved_is_no_figure() -> None:
    unresolved = report()
    unresolved["channels"][0]["halves_agree_cutoff_cpp"] = 0.0
    assert figures(unresolved, 0)["resolved detail, px"] is None
