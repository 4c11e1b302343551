"""The seeing is found from frames alone, whatever the sky, and honest when there is little to see."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.seeing import (
    RINGS,
    Seeing,
    SpectralSums,
    fit_seeing,
    join,
    measured,
    noise_beyond,
    spectral_sums,
    travel_prior,
)
from tasks.numerics.speckle import centred, curves, phases, ring_mean, speckle_table, transfers

SIZE = 96  # the transfer functions' own grid: cut-off at 0.5 cycles per pixel; a little white lies in the corners


@pytest.fixture(scope="module")
def air() -> NDArray[np.float32]:
    """Phases at D/r0 = 1 that the table has not seen."""
    return phases(0.1, 3, 64, seed=7)


def frames_through(
    air: NDArray[np.float32], strength: float, noise: float, sky: str = "disc"
) -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
    """Aligned frames of a small planet or a field of stars, and their PSFs' transfer functions."""
    rng = np.random.default_rng(5)
    spectra = centred(transfers(air * np.float32(strength ** (5 / 6)), 0.33))
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    scene = (np.hypot(y, x) < 14) * (1 + 0.3 * np.sin(y) + 0.2 * rng.standard_normal((SIZE, SIZE)))
    if sky == "stars":
        scene = np.zeros((SIZE, SIZE))
        scene[[40, 44, 55], [45, 60, 48]] = [300.0, 120.0, 60.0]
    clean = np.fft.irfft2(np.fft.rfft2(scene) * spectra, s=(SIZE, SIZE))
    return (clean + noise * rng.standard_normal(clean.shape)).astype(np.float32), spectra


def true_power(spectra: NDArray[np.complex64]) -> NDArray[np.float64]:
    """ln <|H|^2> ring by ring."""
    return curves(spectra).log_power


@pytest.mark.parametrize("strength", [4.0, 9.0])
@pytest.mark.parametrize("sky", ["disc", "stars"])
def test_strength_and_power_are_found_without_the_sky(air: NDArray[np.float32], strength: float, sky: str) -> None:
    frames, spectra = frames_through(air, strength, 2e-3, sky)
    seeing = fit_seeing(spectral_sums(frames), 0.5, 0.33, noise=SIZE**2 * 4e-6, travel=(0.1, 0.5))
    assert abs(np.log(seeing.d_over_r0 / strength)) < 0.15
    error = np.log(seeing.mean_power) - true_power(spectra)
    assert np.abs(error[4:36]).max() < 0.5, "amplitudes within 25 %, where D/r0 4 and 9 differ fourfold"
    assert np.sqrt((error[4:36] ** 2).mean()) < 0.3
    assert seeing.mean_power[0] == 1.0
    assert (seeing.mean_otf <= np.sqrt(seeing.mean_power) + 1e-9).all()


def test_noise_only_leaves_the_prior_and_says_so() -> None:
    frames = np.random.default_rng(0).standard_normal((64, SIZE, SIZE)).astype(np.float32)
    seeing = fit_seeing(spectral_sums(frames), 0.4, 0.33)
    assert seeing.rings_used == 0
    assert 3 < seeing.d_over_r0 < 13
    assert seeing.uncertainty > 0.4
    assert seeing.spread[20] > 0.5
    assert np.isfinite(seeing.mean_power).all()


def test_more_noise_widens_the_answer(air: NDArray[np.float32]) -> None:
    spreads = []
    for noise in (2e-3, 0.5):
        frames, _ = frames_through(air, 6.0, noise)
        spreads.append(fit_seeing(spectral_sums(frames), 0.5, 0.33, noise=SIZE**2 * noise**2).spread[8])
    assert spreads[1] > spreads[0]


def test_measured_ratios_forget_the_sky(air: NDArray[np.float32]) -> None:
    ratios = []
    for sky in ("disc", "stars"):
        frames, _ = frames_through(air, 8.0, 1e-3, sky)
        ratios.append(measured(spectral_sums(frames), 0.5, SIZE**2 * 1e-6))
    assert np.abs(ratios[0].coherence - ratios[1].coherence)[3:12].max() < 0.15
    assert np.abs(ratios[0].contrast - ratios[1].contrast)[3:12].max() < 0.35


def test_white_noise_is_recovered_through_the_taper() -> None:
    frames = 3 * np.random.default_rng(1).standard_normal((32, SIZE, SIZE)).astype(np.float32)
    assert noise_beyond(spectral_sums(frames), 0.4) == pytest.approx(9 * SIZE**2, rel=0.02)


def test_blocks_join_to_the_whole_and_stay_bounded() -> None:
    frames = np.random.default_rng(2).standard_normal((80, 24, 20)).astype(np.float32)
    whole = spectral_sums(frames)
    joined = join([spectral_sums(frames[:48]), spectral_sums(frames[48:])])
    np.testing.assert_allclose(joined.second, whole.second, rtol=1e-5)
    many = join([spectral_sums(frames, group=1)])
    assert len(many.frames) <= 32
    assert many.frames.sum() == 80
    np.testing.assert_allclose(many.fourth.sum(0), whole.fourth.sum(0), rtol=1e-4)


def test_simulated_air_is_kolmogorov() -> None:
    screens = phases(0.01, 1, 256)[:, 0]
    for gap in (3, 12):
        steps = [screens[:, gap:] - screens[:, :-gap], screens[:, :, gap:] - screens[:, :, :-gap]]
        structure = np.mean([np.mean(step**2) for step in steps])
        # an outer scale of eighty apertures takes some off the large separations
        assert 0.75 < structure / (6.88 * (gap / 48) ** (5 / 3)) < 1.1


def test_stronger_air_and_longer_exposures_damp_more() -> None:
    table = speckle_table(0.33)
    assert (np.diff(table.log_power[:, 0, 8]) < 0).all()
    assert table.log_power[24, -1, 20] < table.log_power[24, 0, 20] - 0.5
    assert np.isfinite(table.log_power).all()


def test_few_draws_show_what_many_would() -> None:
    """Curves of 2,560 draws of ten other seeds; with seed 1 the errors are 0.054 and 0.043, and D/r0 six per cent off."""
    rings = [6, 8, 10, 12, 14, 16, 20, 24]
    contrast = [0.555, 0.857, 0.987, 1.027, 1.052, 1.073, 1.147, 1.218]
    coherence = [0.742, 0.462, 0.244, 0.127, 0.070, 0.044, 0.024, 0.017]
    few = curves(transfers(phases(0.15, 3, 128) * np.float32(6.0 ** (5 / 6)), 0.33))
    assert np.sqrt(np.mean((few.contrast[rings] - contrast) ** 2)) < 0.035
    assert np.sqrt(np.mean((few.coherence[rings] - coherence) ** 2)) < 0.010


def test_ring_means_are_those_of_the_curve() -> None:
    radius = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64)[None]) / 0.5
    radius = radius[radius < 1]
    np.testing.assert_allclose(ring_mean(np.exp(-5 * radius), radius)[2:-2], np.exp(-5 * RINGS)[2:-2], rtol=0.05)


def test_clock_says_how_far_the_air_moves() -> None:
    assert travel_prior(0.25, 0.05, None) == (pytest.approx(2.0), 0.6)
    hidden = travel_prior(0.25, None, 0.02)
    assert hidden is not None
    assert hidden[0] < 0.8
    assert hidden[1] > 0.6
    assert travel_prior(0.25, None, None) is None


def test_too_few_groups_and_too_coarse_pixels_are_refused() -> None:
    frames = np.ones((6, 16, 16), np.float32)
    with pytest.raises(ValueError, match="groups"):
        fit_seeing(spectral_sums(frames, group=6), 0.5, 0.33, noise=1.0)
    with pytest.raises(ValueError, match="cut-off"):
        noise_beyond(spectral_sums(frames), 0.7)


def test_results_are_plain_values() -> None:
    assert Seeing._fields[0] == "d_over_r0"
    assert SpectralSums._fields[0] == "frames"
