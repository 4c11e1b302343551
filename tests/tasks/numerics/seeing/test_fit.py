"""The seeing is found from frames alone, for any sky, and its uncertainty grows with the noise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.seeing.fit import Seeing, fit_seeing, in_other_light, travel_prior
from tasks.numerics.seeing.speckle_transfer import curves
from tasks.numerics.seeing.spectral_ratios import noise_beyond, spectral_sums
from tasks.products.turbulence import speckle_table
from tests.tasks.numerics.conftest import SIZE, Frames

TABLE = speckle_table(0.33)


def true_power(spectra: NDArray[np.complex64]) -> NDArray[np.float64]:
    """ln <|H|^2> ring by ring."""
    return curves(spectra).log_power


@pytest.mark.parametrize("strength", [4.0, 9.0])
@pytest.mark.parametrize("sky", ["disc", "stars"])
def test_strength_and_power_are_found_without_the_sky(frames_through: Frames, strength: float, sky: str) -> None:
    frames, spectra = frames_through(strength, 2e-3, sky)
    seeing = fit_seeing(spectral_sums(frames, 0.5), 0.5, TABLE, noise=SIZE**2 * 4e-6, travel=(0.1, 0.5))
    assert abs(np.log(seeing.d_over_r0 / strength)) < 0.15
    error = np.log(seeing.mean_power) - true_power(spectra)
    assert np.abs(error[4:36]).max() < 0.5, "amplitudes within 25 %, where D/r0 4 and 9 differ fourfold"
    assert np.sqrt((error[4:36] ** 2).mean()) < 0.3
    assert seeing.mean_power[0] == 1.0
    assert (seeing.mean_otf <= np.sqrt(seeing.mean_power) + 1e-9).all()


def test_noise_alone_returns_the_prior_and_its_uncertainty() -> None:
    frames = np.random.default_rng(0).standard_normal((64, SIZE, SIZE)).astype(np.float32)
    seeing = fit_seeing(spectral_sums(frames, 0.4), 0.4, TABLE)
    assert seeing.rings_used == 0
    assert 3 < seeing.d_over_r0 < 13
    assert seeing.log_d_over_r0_sigma > 0.4
    assert seeing.log_power_sigma[20] > 0.5
    assert np.isfinite(seeing.mean_power).all()


def test_more_noise_increases_the_uncertainty(frames_through: Frames) -> None:
    spreads = []
    for noise in (2e-3, 0.5):
        frames, _ = frames_through(6.0, noise)
        spreads.append(fit_seeing(spectral_sums(frames, 0.5), 0.5, TABLE, noise=SIZE**2 * noise**2).log_power_sigma[8])
    assert spreads[1] > spreads[0]


def test_the_exposure_sets_the_prior_of_the_travel() -> None:
    assert travel_prior(0.25, 0.05) == (pytest.approx(2.0), 0.6)
    hidden = travel_prior(0.25, None)
    assert 0.05 < hidden[0] < 0.8, "an unknown exposure is taken for a usual one"
    assert hidden[1] > 0.6


def test_a_sky_beyond_the_frame_does_not_bias_the_strength(frames_through: Frames) -> None:
    """Uncorrected, the taper's leakage from lower frequencies would make D/r0 a quarter too low."""
    frames, _ = frames_through(12.0, 1e-3, "field")
    seeing = fit_seeing(spectral_sums(frames, 0.5), 0.5, TABLE, noise=64**2 * 1e-6, travel=(0.1, 0.5))
    assert abs(np.log(seeing.d_over_r0 / 12.0)) < 0.15


def test_too_few_groups_and_too_coarse_pixels_are_refused() -> None:
    frames = np.ones((6, 16, 16), np.float32)
    with pytest.raises(ValueError, match="groups"):
        fit_seeing(spectral_sums(frames, 0.5, group=6), 0.5, TABLE, noise=1.0)
    with pytest.raises(ValueError, match="cut-off"):
        noise_beyond(spectral_sums(frames, 0.7), 0.7)


def test_other_light_sees_the_same_air() -> None:
    """Redder light passes better; the way there and back ends where it began."""
    rings = len(RINGS)
    start = Seeing(6.0, 0.1, 0.2, 0.1, np.exp(TABLE.log_power[20, 8]), np.ones(rings), np.full(rings, 0.1), 10)
    red = in_other_light(start, 535 / 620, TABLE)
    assert red.d_over_r0 == pytest.approx(6.0 * (535 / 620) ** 1.2)
    assert (red.mean_power[2:-2] > start.mean_power[2:-2]).all()
    again = in_other_light(red, 620 / 535, TABLE)
    np.testing.assert_allclose(again.mean_power, start.mean_power, rtol=1e-6)
