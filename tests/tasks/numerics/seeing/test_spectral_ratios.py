"""Ratios of spectra do not depend on the sky; sums of blocks join; the taper's leakage is measured."""

import numpy as np
import pytest

from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.seeing.spectral_ratios import jackknife, join, measured, noise_beyond, spectral_sums
from tests.tasks.numerics.conftest import SIZE, Frames


def test_measured_ratios_do_not_depend_on_the_sky(frames_through: Frames) -> None:
    ratios = []
    for sky in ("disc", "stars"):
        frames, _ = frames_through(8.0, 1e-3, sky)
        ratios.append(measured(spectral_sums(frames, 0.5), 0.5, SIZE**2 * 1e-6))
    assert np.abs(ratios[0].coherence - ratios[1].coherence)[3:12].max() < 0.15
    assert np.abs(ratios[0].contrast - ratios[1].contrast)[3:12].max() < 0.35


def test_white_noise_is_recovered_through_the_taper() -> None:
    frames = 3 * np.random.default_rng(1).standard_normal((32, SIZE, SIZE)).astype(np.float32)
    assert noise_beyond(spectral_sums(frames, 0.4), 0.4) == pytest.approx(9 * SIZE**2, rel=0.02)


def test_blocks_join_to_the_whole_and_stay_bounded() -> None:
    frames = np.random.default_rng(2).standard_normal((80, 24, 20)).astype(np.float32)
    whole = spectral_sums(frames, 0.5)
    joined = join([spectral_sums(frames[:48], 0.5), spectral_sums(frames[48:], 0.5)])
    np.testing.assert_allclose(joined.second, whole.second, rtol=1e-5)
    many = join([spectral_sums(frames, 0.5, group=1)])
    assert len(many.frames) <= 32
    assert many.frames.sum() == 80
    np.testing.assert_allclose(many.fourth.sum(0), whole.fourth.sum(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(joined.softened, whole.softened, rtol=1e-5)


def test_leakage_lowers_the_effective_frequency_of_steep_spectra(frames_through: Frames) -> None:
    """Of a steep field more leaks in from below than from above; a few stars are as bright at every frequency."""
    moved = {}
    for sky, size in (("field", 64), ("stars", SIZE)):
        frames, _ = frames_through(4.0, 1e-4, sky)
        rings = measured(spectral_sums(frames, 0.5), 0.5, size**2 * 1e-8)
        moved[sky] = rings.radius[4:10] / RINGS[4:10] - 1
    assert (moved["field"] < -0.01).all()
    assert moved["field"][0] < moved["field"][-1], "a bin is a larger part of a low frequency"
    assert (np.abs(moved["stars"]) < 0.5 * np.abs(moved["field"])).all()


def test_jackknife_leaves_out_one_group_at_a_time(frames_through: Frames) -> None:
    frames, _ = frames_through(6.0, 1e-3, "disc")
    noise = SIZE**2 * 1e-6
    parts = [spectral_sums(frames[start : start + 8], 0.5) for start in range(0, 40, 8)]
    rest = [join([part for part in parts if part is not out]) for out in parts]
    runs = [np.array(measured(each, 0.5, noise)) for each in rest]
    expected = np.sqrt(4 * np.var(runs, axis=0))
    np.testing.assert_allclose(np.array(jackknife(join(parts), 0.5, noise)), expected, rtol=1e-5, atol=1e-9)
