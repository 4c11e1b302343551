"""Two halves agree as far as there is light in the frames, and no farther: coarse light does not pass for fine."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.numerics.judging.metrics import frc_cutoff
from tasks.products.contents import Evaluated, Sky
from tasks.products.half_sums import count_frames, half_agreement, read_half_sums, read_sums


def drawn(fine: float) -> Sky:
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
    nothing = np.zeros((1, 1, 1), np.float32)
    return Sky(
        sky=nothing,
        tapered=nothing,
        spectrum=nothing.astype(np.complex64),
        sky_power=np.where(ring < fine, 1e9 * np.maximum(ring * size, 1) ** -3.0, 1.0).astype(np.float32)[None],
        samplings=[[1, [[0, 0]]]],
        A=np.full((1, *f.shape), 20, np.float32),
        B=(one + other).astype(np.complex64)[None],
        A_half=np.full((1, *f.shape), 10, np.float32),
        B_half=one.astype(np.complex64)[None],
        frame_power=nothing[0],
        noise=np.array([2.0]),
        shared_noise_fraction=np.array([0.0]),
        frames=np.arange(20),
        weights=np.ones(20, np.float32),
        misfits=np.ones((1, 20), np.float32),
        psfs=(),
        model="pupil",
        notes=[],
    )


@pytest.mark.parametrize("fine", [0.15, 0.25, 0.4])
def test_the_halves_agree_to_where_the_light_ends(fine: float) -> None:
    assert frc_cutoff(half_agreement(drawn(fine), 0)) == pytest.approx(fine, abs=0.035)


def test_sums_count_their_frames() -> None:
    sky = drawn(0.25)
    found = read_half_sums(sky, 0)
    assert (read_sums(sky, 0).frames, found.total.frames, found.half.frames) == (20, 20, 10)
    assert (found.noise, found.shared_noise_fraction, found.single_solve) == (2.0, 0.0, False)


def test_the_reports_resolution_is_that_of_the_page(planet: Any) -> None:
    with planet.store.view(Evaluated, planet.result) as judged, planet.store.view(Sky, planet.sky) as sky:
        (row,) = judged.figures["channels"]
        assert row["halves_agree_cutoff_cpp"] == frc_cutoff(half_agreement(sky, 0))
    assert 0.1 < row["halves_agree_cutoff_cpp"] <= row["cutoff_cpp"] + 0.05


def test_frames_of_several_starts_count_once() -> None:
    sky = drawn(0.25)
    assert count_frames(replace(sky, frames=np.array([3, 5, 8, 3, 5, 8]))) == 3
    assert count_frames(replace(sky, frames=np.array([], np.int64))) == 0
