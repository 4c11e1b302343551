"""Ring sums and means of half-plane spectra are those of the full plane."""

import numpy as np
import pytest
import torch

from tasks.numerics.fourier.rings import RINGS, multiplicity, radial_profile, radii, ring_mean, ring_sums, rings


@pytest.mark.parametrize("size", [16, 17])
def test_half_plane_weights_count_the_full_plane(size: int) -> None:
    assert 2 * size * float(multiplicity(size).sum()) == pytest.approx(size * size)
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    half, full = torch.fft.rfft2(noise).abs() ** 2, torch.fft.fft2(noise).abs() ** 2
    f = torch.fft.fftfreq(size)
    number = torch.round(torch.hypot(f[:, None], f[None, :]) * size).long()
    expected = torch.stack([full[number == i].mean() for i in range(int(number.max()) + 1)])
    torch.testing.assert_close(ring_mean(half, rings(size)), expected, rtol=1e-4, atol=1e-4)


def test_profiles_of_a_smooth_curve_are_the_curve() -> None:
    radius = radii((64, 64), 0.5)
    inside = radius[radius < 1]
    np.testing.assert_allclose(radial_profile(np.exp(-5 * inside), inside)[2:-2], np.exp(-5 * RINGS)[2:-2], rtol=0.05)


def test_ring_sums_count_every_coefficient_up_to_half_a_cycle_per_pixel() -> None:
    counts = ring_sums(np.ones((32, 21)), (32, 40))
    assert len(counts) == 17
    assert counts[0] == 1
    f = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.rfftfreq(40)[None]) * 32
    assert counts.sum() == (f < 16.5).sum()
