"""Two halves agree as far as there is light in the frames, and no farther: coarse light does not pass for fine."""

import json
from typing import Any

import numpy as np
import pytest

from tasks.numerics.judging.metrics import frc_cutoff
from tasks.products.half_sums import frames_in, halves_agree, sums_in


def drawn(fine: float) -> dict[str, Any]:
    """An open solve_sky product of a bright coarse sky seen through 20 frames, its rings from `fine` cycles/px on noise."""
    size, dice = 64, np.random.default_rng(1)
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    f = np.hypot(fy, fx)
    power = np.where(f < fine, 1e9 * np.maximum(f * size, 1) ** -3.0, 1e-3)
    sky = np.sqrt(power) * (dice.normal(size=f.shape) + 1j * dice.normal(size=f.shape))

    def noise(frames: int) -> Any:
        return np.sqrt(frames) * (dice.normal(size=f.shape) + 1j * dice.normal(size=f.shape))

    one, other = (10 * sky + noise(10) for _ in range(2))
    ring = np.arange(46) / size
    found = {
        "A": np.full(f.shape, 20.0), "A_half": np.full(f.shape, 10.0), "B": one + other, "B_half": one,
        "sky_power": np.where(ring < fine, 1e9 * np.maximum(ring * size, 1) ** -3.0, 1.0), "noise": np.array(2.0),
        "shared": np.array(0.0),
    }  # fmt: skip
    kinds = {"B": np.complex64, "B_half": np.complex64}
    return {name: np.asarray(values, kinds.get(name, np.float32))[None] for name, values in found.items()}


@pytest.mark.parametrize("fine", [0.15, 0.25, 0.4])
def test_the_halves_agree_to_where_the_light_ends(fine: float) -> None:
    assert frc_cutoff(halves_agree(drawn(fine), 0)) == pytest.approx(fine, abs=0.035)


def test_sums_count_their_frames() -> None:
    product = drawn(0.25)
    assert (sums_in(product, 0).frames, sums_in(product, 0, "_half").frames) == (20, 10)


def test_the_reports_resolution_is_that_of_the_page(planet: Any) -> None:
    (row,) = json.loads(planet.note(planet.result, "report"))["channels"]
    with planet.store.open(planet.sky) as sky:
        assert row["halves_agree_cutoff_cpp"] == frc_cutoff(halves_agree(sky, 0))
    assert 0.1 < row["halves_agree_cutoff_cpp"] <= row["cutoff_cpp"] + 0.05


def test_frames_of_several_starts_count_once() -> None:
    assert frames_in({"frames": np.array([3, 5, 8, 3, 5, 8])}) == 3
    assert frames_in({"frames": np.array([], np.int64)}) == 0
