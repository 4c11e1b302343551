"""Noise measured beyond the cut-off is right despite bright targets, posterised skies and defects."""

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.frames.noise import dark_corners, noise_variance

N = 128


def band_limited(seed=0, cutoff=0.5, size=N):
    """A bright sky whose spectrum falls to zero at the cut-off."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(size, size))) * np.clip(1 - f / cutoff, 0, None) ** 1.5 / (1 + 30 * f)
    sky = np.fft.irfft2(spectrum, s=(size, size))
    return 1000 + 200 * sky / sky.std()


@pytest.mark.parametrize("sigma", [2.0, 20.0])
def test_white_noise_is_measured_under_a_bright_scene(sigma):
    rng = np.random.default_rng(1)
    frames = (band_limited() + rng.normal(0, sigma, (6, 1, N, N))).astype(np.float32)
    assert np.sqrt(noise_variance(frames)) == pytest.approx(np.full((6, 1), sigma), rel=0.08)


def test_a_field_that_goes_on_past_the_border_does_not_leak():
    y, x = np.mgrid[:N, :N]
    frames = (10.0 * y + 5 * x + np.random.default_rng(2).normal(0, 1, (3, 1, N, N))).astype(np.float32)
    assert noise_variance(frames) == pytest.approx(np.ones((3, 1)), rel=0.15)


def test_a_posterised_sky_is_not_noiseless():
    rng = np.random.default_rng(3)
    disc = 100 * ndimage.gaussian_filter((np.hypot(*(np.mgrid[:N, :N] - N / 2)) < 40).astype(float), 2)
    frame = np.round(disc + rng.normal(0, np.sqrt(disc * 0.05 + 0.01), (N, N))).astype(np.float32)
    assert np.median(np.abs(np.diff(frame))) == 0  # what pixel differences say
    assert noise_variance(frame[None, None])[0, 0] > 0.5


def test_row_noise_and_hot_pixels_do_not_count():
    rng = np.random.default_rng(4)
    frame = rng.normal(0, 2, (N, N))
    frame += rng.normal(0, 5, (N, 1))
    assert noise_variance(frame[None, None].astype(np.float32))[0, 0] == pytest.approx(4, rel=0.15)


def test_an_undersampled_telescope_still_leaves_some_corners():
    assert dark_corners((N, N), 0.9).sum() > 0.005 * N * N
