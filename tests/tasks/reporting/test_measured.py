"""What is measured stands in the report with units and errors."""

from typing import Any

import numpy as np
import pytest

from tasks.products.contents import Evaluated
from tasks.reporting.measured import add_measured, sentences
from tasks.reporting.report import describe


def test_detail_strehl_and_r0_of_a_planet(planet: Any) -> None:
    telescope = planet.config.telescope
    report = describe(planet.store, planet.result, planet.config.model_dump(mode="json"), None)
    add_measured(planet.store, planet.result, report, telescope)
    measured, row = report["measured"], report["channels"][0]
    assert measured["double_star"] is None
    assert measured["resolved_lambda_over_d"] >= 0.9
    angle = measured["resolved_lambda_over_d"] * telescope.wavelength_nm * 1e-9 / telescope.aperture_m * 206264.8
    assert measured["resolved_arcsec"] == pytest.approx(angle, rel=0.02)
    assert measured["r0_cm"] == [pytest.approx(100 * telescope.aperture_m / row["d_over_r0"])]
    strehl = measured["strehl"]
    assert len(strehl["frames"]) == len(strehl["of_frames"]) > 0
    assert 0 < strehl["median"] <= strehl["best"] <= 1.01
    assert "Detail is resolved" in report["verdict"][-1]
    with planet.store.view(Evaluated, planet.result) as judged:
        assert np.isfinite(judged.published[:]).all()


def test_a_double_star_is_said_with_its_errors_and_axes() -> None:
    pair = {
        "separation_px": [4.0, 0.02],
        "separation_arcsec": None,
        "angle_deg": [31.0, 0.5],
        "delta_magnitude": [1.2, 0.03],
    }
    said = sentences(
        {"resolved_lambda_over_d": None, "resolved_px": None, "resolved_arcsec": None, "double_star": pair}
    )
    assert said == [
        "A double star: 4.000 ± 0.020 px apart, angle 31.0 ± 0.5° (image axes: from up counter-clockwise), Δm 1.20 ± 0.03."
    ]


def test_detail_is_in_pixels_where_the_telescope_is_not_known() -> None:
    said = sentences(
        {"resolved_lambda_over_d": None, "resolved_px": 5.26, "resolved_arcsec": None, "double_star": None}
    )
    assert said == ["Detail is resolved down to a period of 5.3 px."]
