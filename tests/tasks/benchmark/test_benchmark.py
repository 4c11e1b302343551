"""The benchmark's table: valid Markdown, honest means, and cases that the simulator accepts."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tasks.benchmark.benchmark import CASES, HEAD, Row, as_json, row, summary
from tasks.benchmark.scene_request import scene_of
from tasks.numerics.simulator.targets import TARGETS

ROWS = [
    Row("a", 0, 20.0, 22.0, 30.0, 38.0, 0.3, 12.0, "sky"),
    Row("b", 1, 20.0, 25.0, 24.0, 35.0, 0.8, 8.0, "stack"),
]


def test_lines_are_one_table() -> None:
    lines = [*HEAD, *(r.line for r in ROWS), *summary(ROWS)]
    assert {line.count("|") for line in lines} == {12}
    assert len({len(line) for line in lines}) == 1
    assert "|        50% |        30% |" in lines[2]
    assert "|       -10% |" in lines[3]


def test_mean_and_worst() -> None:
    assert ROWS[0].gap == pytest.approx(0.5)
    mean, worst = summary(ROWS)
    assert " 20% " in mean
    assert "-10%" in worst
    assert "worst: b " in worst
    tree = json.loads(json.dumps(as_json(ROWS)))
    assert tree["mean_gap"] == pytest.approx(0.2)
    assert tree["worst_gap"] == pytest.approx(-0.1)
    assert tree["rows"][0]["gain"] == 8.0


def test_row_of_a_report() -> None:
    false = {"false_power_low": 0.01, "false_power_mid": 0.02, "false_power_high": 0.03}
    truth = {name: {"psnr_db": level, **false} for name, level in (("stack", 20.0), ("lucky", 22.0), ("solved", 30.0))}
    made = row("a", 0, {"truth": truth, "psf_rms_error": 0.3, "published": "sky"}, 38.0, 12.0)
    assert made == replace(ROWS[0], false_power=pytest.approx(0.06))
    assert "6.00%" in made.line


@pytest.mark.parametrize("name", CASES)
def test_cases_can_be_simulated(name: str) -> None:
    case = CASES[name]
    scene = scene_of(case.fields(3))
    assert case.target in TARGETS
    assert scene.seed == 3
    assert scene.n_subexposures >= 8
    assert scene.psf_px / 2 > 1.2 * scene.size_px / 2  # a finer pupil than the solver's
    assert 60 <= scene.n_frames <= 150
    assert np.isfinite(scene.aperture_cells)
