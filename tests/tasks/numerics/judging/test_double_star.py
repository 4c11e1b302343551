"""Double stars measured on simulated pairs, and what is none."""

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.double_stars import CUTOFF_CPP, OBSTRUCTION, SIDE_PX, deviations, pair
from tasks.numerics.judging.double_star import annular_transfer, double_star

SIGMA = np.ones((SIDE_PX, SIDE_PX), np.float32)


@pytest.mark.parametrize(("separation", "magnitude"), [(1.0, 0.0), (2.0, 1.0), (3.0, 3.0)])
def test_pairs_are_found_without_bias_and_with_true_errors(separation: float, magnitude: float) -> None:
    off = deviations(separation, magnitude, 6, np.random.default_rng(2))
    assert np.isfinite(off).all(), "every pair is found"
    assert (np.abs(off) < 4).all()
    assert (np.abs(off.mean(0)) < 3 / np.sqrt(6)).all()


def test_fainter_stars_beside_a_pair_do_not_hide_it() -> None:
    """A third star of a quarter of the light is 4 per cent of its power: more than a pair may leave unexplained."""
    rng = np.random.default_rng(5)
    third = pair(0.0, 30, 0, rng) + np.roll(pair(0.0, 30, 0, rng) * 0.5, (18, -15), (0, 1))
    picture = np.roll(pair(6, 0.3, 200, rng), (-8, 4), (0, 1)) * 2 + np.roll(third, (10, 8), (0, 1)) * 0.5
    found = double_star(picture.astype(np.float32), SIGMA, CUTOFF_CPP, OBSTRUCTION)
    assert found is not None
    assert abs(found.separation_px - 6) < 4 * found.separation_error_px
    assert abs(found.delta_magnitude - 0.3) < 4 * found.delta_magnitude_error


@pytest.mark.parametrize("noise", [10.0, 25.0])
def test_noise_all_over_the_picture_does_not_hide_a_bright_pair(noise: float) -> None:
    """The noise of so many pixels has more power than three per cent of the stars'."""
    rng = np.random.default_rng(7)
    rough = ndimage.gaussian_filter(rng.normal(size=(SIDE_PX, SIDE_PX)), 1.2)
    rough *= noise / rough.std()
    found = double_star((pair(5, 0.3, 120, rng) + rough).astype(np.float32), SIGMA, CUTOFF_CPP, OBSTRUCTION)
    assert found is not None
    assert abs(found.separation_px - 5) < 4 * found.separation_error_px
    assert abs(found.delta_magnitude - 0.3) < 4 * found.delta_magnitude_error
    assert double_star((pair(5, 12, 120, rng) + rough).astype(np.float32), SIGMA, CUTOFF_CPP, OBSTRUCTION) is None


def test_a_small_body_is_not_taken_for_many_stars() -> None:
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2
    body = ((np.abs(y) < 2.5) & (np.abs(x + 0.4 * y) < 5)).astype(float)
    seen = np.fft.irfft2(
        np.fft.rfft2(body) * np.exp(-8 * (np.fft.fftfreq(SIDE_PX)[:, None] ** 2 + np.fft.rfftfreq(SIDE_PX) ** 2))
    )
    noisy = 300 * seen + np.random.default_rng(6).normal(size=seen.shape)
    assert double_star(noisy.astype(np.float32), SIGMA, CUTOFF_CPP, OBSTRUCTION) is None


def test_angles_go_from_up_counter_clockwise() -> None:
    found = double_star(pair(8, 1, 90, np.random.default_rng(1)), SIGMA, CUTOFF_CPP, OBSTRUCTION)
    assert found is not None
    assert found.angle_deg == pytest.approx(90, abs=1), "the companion stands left of the star"


def test_a_single_star_and_a_planet_are_no_pairs() -> None:
    rng = np.random.default_rng(3)
    assert double_star(pair(5, 12, 40, rng), SIGMA, CUTOFF_CPP, OBSTRUCTION) is None
    radius = np.hypot(*(np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2))
    planet = (300 / (1 + np.exp(2 * (radius - 14))) + rng.normal(size=radius.shape)).astype(np.float32)
    assert double_star(planet, SIGMA, CUTOFF_CPP, OBSTRUCTION) is None
    assert double_star(np.zeros_like(planet), SIGMA, CUTOFF_CPP, OBSTRUCTION) is None


def test_the_annular_transfer_is_the_autocorrelation_of_the_aperture() -> None:
    n = 256
    radius = np.hypot(*(np.mgrid[:n, :n] - n // 2))
    aperture = ((radius <= 50) & (radius >= 0.33 * 50)).astype(float)
    correlation = np.fft.fftshift(np.fft.ifft2(np.abs(np.fft.fft2(aperture)) ** 2).real)[n // 2, n // 2 :]
    wanted = correlation[:101] / correlation[0]
    np.testing.assert_allclose(annular_transfer(np.arange(101) / 100, 0.33), wanted, atol=0.01)
