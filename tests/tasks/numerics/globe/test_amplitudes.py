"""The amplitudes of a session's skies, wrong each by its own seeing, become the one on which they agree."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.globe.amplitudes import levelled
from tasks.numerics.globe.ring_means import rings_of

Values = NDArray[np.float64]
SIDE, STEPS = 64, 33
KNOWN = np.full((1, STEPS), 0.999)
GROWTH = np.linspace(0.0, 2.0, STEPS)
"""A wrong D/r0 changes the amplitude of fine rings more."""


def sky(seed: int = 0) -> Values:
    return 10 + np.random.default_rng(seed).standard_normal((SIDE, SIDE))


def scaled(picture: Values, logarithm: float) -> Values:
    """The picture with the amplitude of its rings wrong by so much in the middle of the frequencies."""
    ring = rings_of(picture.shape)
    gain = np.exp(logarithm * np.interp(np.arange(ring.max() + 1) / SIDE, np.linspace(0, 0.5, STEPS), GROWTH))
    return np.asarray(fft.irfft2(fft.rfft2(picture) * gain[ring], s=picture.shape))


def amplitude(picture: Values, truth: Values) -> float:
    """Logarithm of the amplitude in the middle of the frequencies."""
    ring = rings_of(truth.shape)
    here = (ring > 14) & (ring < 19)
    seen, true = (np.abs(fft.rfft2(each)[here]) ** 2 for each in (picture, truth))
    return float(0.5 * np.log(seen.sum() / true.sum()))


def level(errors: list[float], sigmas: list[float]) -> list[float]:
    """Amplitudes after the levelling of skies that are wrong by `errors` and told to be so by `sigmas`."""
    truth = sky()
    planes = np.stack([scaled(truth, error) for error in errors])
    sigma = np.array(sigmas)[:, None] * GROWTH
    return [amplitude(each, truth) for each in levelled(planes, np.repeat(KNOWN, len(errors), 0), sigma)]


def test_all_agree_afterwards_and_the_error_is_that_of_the_mean() -> None:
    errors = np.random.default_rng(1).normal(0, 0.15, (20, 6))
    after = np.array([level(list(row), [0.15] * 6) for row in errors])
    assert (np.ptp(after, axis=1) < 0.01).all()
    rms = float(np.sqrt((after**2).mean()))
    assert rms < 1.25 * 0.15 / np.sqrt(6), "six independent errors are averaged"


def test_one_that_is_far_off_counts_less_than_its_share() -> None:
    assert abs(level([0.0, 0.0, 0.0, 0.0, 0.6], [0.1] * 5)[0]) < 0.5 * 0.6 / 5


def test_who_knows_its_seeing_better_counts_more() -> None:
    assert abs(level([0.0, 0.2], [0.05, 0.2])[0]) < 0.04
    assert abs(level([0.0, 0.2], [0.1, 0.1])[0] - 0.1) < 0.02


def test_noise_is_not_taken_for_amplitude() -> None:
    truth, rng = sky(), np.random.default_rng(3)
    quiet, noisy = truth + 0.02 * rng.standard_normal(truth.shape), 0.5 * (truth + rng.standard_normal(truth.shape))
    known = np.stack([np.full(STEPS, 0.999), np.full(STEPS, 0.5)])
    planes = np.stack([quiet, 0.5 * 10 + noisy - noisy.mean()])
    after = levelled(planes, known, np.full((2, STEPS), 0.1))
    assert abs(amplitude(after[0], truth)) < 0.05
    np.testing.assert_allclose(after.mean(axis=(1, 2)), planes.mean(axis=(1, 2)))


def test_rings_that_nobody_knows_keep_their_amplitude() -> None:
    planes = np.stack([sky(1), 2 * sky(2)])
    np.testing.assert_allclose(levelled(planes, np.zeros((2, STEPS)), np.full((2, STEPS), 0.1)), planes, atol=1e-9)
