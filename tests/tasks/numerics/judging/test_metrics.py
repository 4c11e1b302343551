"""Metrics are invariant to shift, gain and offset and to nothing else."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.judging.metrics import (
    false_power,
    fourier_ring_correlation,
    frc_cutoff,
    is_nearer,
    match,
    psnr,
    ssim,
)

N = 96


@pytest.fixture
def sky():
    return (100 * ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(N, N)), 2.5)).astype(np.float32)


def test_shift_gain_and_offset_do_not_count(sky):
    moved = shift_frames(sky[None, None], np.array([[3.4, -2.7]], np.float32))[0, 0]
    found = match(sky, 0.01 * moved + 7)
    assert found.psnr_db > 45
    assert found.shift == pytest.approx((-3.4, 2.7), abs=0.02)
    assert found.gain == pytest.approx(100, rel=0.01)


def test_noise_lowers_psnr_by_its_power(sky):
    sigma = 0.05 * np.ptp(sky[12:-12, 12:-12])
    noisy = sky + np.random.default_rng(1).normal(0, sigma, sky.shape).astype(np.float32)
    assert psnr(sky, noisy) == pytest.approx(-20 * np.log10(0.05), abs=0.6)


def test_a_negative_is_no_better_than_a_constant(sky):
    inner = sky[12:-12, 12:-12]
    floor = 10 * np.log10(np.ptp(inner) ** 2 / inner.var())
    assert psnr(sky, np.zeros_like(sky)) == pytest.approx(floor, abs=1e-3)
    assert match(sky, -sky, max_shift=0).gain >= 0


def test_blur_counts(sky):
    assert psnr(sky, ndimage.gaussian_filter(sky, 2)) < psnr(sky, ndimage.gaussian_filter(sky, 1)) < 45


def test_ssim_agrees_with_a_reference(sky):
    other = ndimage.gaussian_filter(sky, 1.2) + np.random.default_rng(2).normal(0, 1, sky.shape).astype(np.float32)
    span = float(np.ptp(sky))
    expected = structural_similarity(
        sky, other, data_range=span, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(sky, other) == pytest.approx(expected, abs=2e-3)
    assert ssim(sky, sky) == pytest.approx(1)


def test_ring_correlation_ends_where_the_detail_does(sky):
    rng = np.random.default_rng(3)
    detail = rng.normal(size=(N, N))
    f = np.hypot(np.fft.fftfreq(N)[:, None], np.fft.rfftfreq(N)[None])
    low = np.fft.irfft2(np.fft.rfft2(detail) * (f < 0.25), s=(N, N))
    a, b = (low + rng.normal(0, 0.1, (N, N)) for _ in range(2))
    curve = fourier_ring_correlation(a, b)
    assert frc_cutoff(curve) == pytest.approx(0.25, abs=0.035)
    assert abs(curve[35:].mean()) < 0.1
    assert frc_cutoff(fourier_ring_correlation(sky, sky)) == 0.5


def test_nearer_is_judged_away_from_the_border(sky):
    small, large = (np.stack([sky, sky]) + off for off in (1.0, 2.0))
    picture = np.stack([sky, sky])
    assert is_nearer(picture, to=small, than=large)
    assert not is_nearer(picture, to=large, than=small)
    assert not is_nearer(picture, to=small, than=small)
    small[:, : N // 8] += 1000  # the border, where the pictures are made otherwise
    assert is_nearer(picture, to=small, than=large)
    small[0, N // 2, N // 2] += 1000  # one channel's error counts
    assert not is_nearer(picture, to=small, than=large)


def test_false_power_is_what_the_truth_does_not_have_in_its_band(sky):
    y, x = np.indices(sky.shape)
    added = {"low": 0.1, "mid": 0.25, "high": 0.4}
    assert false_power(sky, 0.5 * sky) == pytest.approx((0, 0, 0), abs=1e-6), "a gain is nothing false"
    blurred = false_power(sky, ndimage.gaussian_filter(sky, 2, mode="wrap"))
    assert sum(blurred) < 0.02, "a blur is nothing false"
    for band, frequency in enumerate(added.values()):
        wave = 0.3 * sky.std() * np.sqrt(2) * np.cos(2 * np.pi * frequency * (0.8 * x + 0.6 * y))
        found = false_power(sky, sky + wave)
        assert found[band] == pytest.approx(0.09, rel=0.25)
        assert sum(found) - found[band] < 0.01
