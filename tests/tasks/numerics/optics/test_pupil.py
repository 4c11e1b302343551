"""The pupil makes PSFs that optics allow."""

import math

import numpy as np
import pytest
import torch

from tasks.numerics.optics.pupil import (
    aperture,
    diameter_cells,
    frequencies,
    multiplicity,
    noll,
    otfs,
    perfect,
    pictures_of,
    psfs,
    pupil,
    ring_mean,
    rings,
    spectra_of,
)

ARCSEC = math.pi / 180 / 3600


def test_nyquist_sampling_fills_half_the_grid() -> None:
    scale = 550e-9 / 0.25 / 2
    assert diameter_cells(192, 0.25, 550e-9, scale) == pytest.approx(96)
    assert diameter_cells(192, 0.25, 550e-9, 0.2268915 * ARCSEC) == pytest.approx(96, rel=1e-4)


def test_aperture_has_the_annulus_area_and_centre() -> None:
    mask = aperture(64, 30.0, 0.33)
    assert mask.sum() == pytest.approx(math.pi * 15**2 * (1 - 0.33**2), rel=2e-3)
    assert mask[32, 32] == 0
    assert mask[32, 32 + 10] == 1
    np.testing.assert_allclose(mask[1:, 1:], mask[:0:-1, :0:-1])


@pytest.mark.parametrize(
    ("j", "order"), [(2, (1, 1)), (3, (1, -1)), (4, (2, 0)), (5, (2, -2)), (6, (2, 2)), (11, (4, 0))]
)
def test_noll_order(j: int, order: tuple[int, int]) -> None:
    assert noll(j) == order


def test_modes_are_orthonormal_and_without_piston() -> None:
    eye = pupil(48, 24.0, 0.3, 30)
    weight = eye.amplitude / eye.amplitude.sum()
    gram = (eye.modes * weight) @ eye.modes.T
    assert torch.allclose(gram, torch.eye(30), atol=1e-4)
    assert (eye.modes @ weight).abs().max() < 1e-4


def test_psfs_are_light_and_band_limited() -> None:
    eye = pupil(48, 20.0, 0.3, 20)
    phases = torch.randn(3, 20, generator=torch.Generator().manual_seed(1))
    images = psfs(eye, phases)
    assert images.min() >= 0
    assert torch.allclose(images.sum((1, 2)), torch.ones(3), atol=1e-5)
    transfer = otfs(eye, phases)
    assert transfer[:, frequencies(48) > 22 / 48].abs().max() < 1e-5
    assert (transfer.abs() <= perfect(eye) + 1e-5).all()


def test_tilt_moves_the_psf_without_changing_its_size() -> None:
    eye = pupil(64, 24.0, 0.0, 5)
    phases = torch.zeros(2, 5)
    phases[1, 0] = 2.0
    still, moved = otfs(eye, phases)
    assert torch.allclose(still.abs(), moved.abs(), atol=2e-3)
    assert not torch.allclose(still, moved, atol=0.1)


@pytest.mark.parametrize("size", [16, 17])
def test_half_plane_weights_count_the_full_plane(size: int) -> None:
    assert 2 * size * float(multiplicity(size).sum()) == pytest.approx(size * size)
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    half, full = torch.fft.rfft2(noise).abs() ** 2, torch.fft.fft2(noise).abs() ** 2
    f = torch.fft.fftfreq(size)
    number = torch.round(torch.hypot(f[:, None], f[None, :]) * size).long()
    expected = torch.stack([full[number == i].mean() for i in range(int(number.max()) + 1)])
    torch.testing.assert_close(ring_mean(half, rings(size)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("grid", [30, 40])
def test_psfs_of_a_smaller_square_are_those_of_the_whole_canvas(grid: int) -> None:
    whole, part = (pupil(60, 30.0, 0.3, 10, side) for side in (60, grid))
    phases = 0.3 * torch.randn(2, 10, generator=torch.Generator().manual_seed(4))
    assert psfs(part, phases).shape == (2, grid, grid)
    torch.testing.assert_close(otfs(part, phases)[:, 0, 0].real, torch.ones(2))
    torch.testing.assert_close(otfs(part, phases), otfs(whole, phases), rtol=0, atol=0.03)


def test_spectra_and_pictures_of_a_smaller_square_belong_together() -> None:
    eye = pupil(30, 15.0, 0.0, 3, 18)
    dice = torch.Generator().manual_seed(2)
    picture = torch.rand(2, 18, 18, generator=dice)
    other = torch.fft.rfft2(torch.rand(2, 30, 30, generator=dice))
    there = torch.fft.irfft2(spectra_of(eye, picture).conj() * other, s=(30, 30))[:, 0, 0]
    torch.testing.assert_close(there * 900, (picture * pictures_of(eye, other)).sum((1, 2)) * 900)


@pytest.mark.parametrize("grid", [60, 40])
def test_nothing_passes_beyond_the_cut_off(grid: int) -> None:
    eye = pupil(60, 24.0, 0.3, 10, grid)
    phases = torch.randn(3, 10, generator=torch.Generator().manual_seed(4))
    assert otfs(eye, phases)[:, frequencies(60) > 0.42].abs().max() < 1e-6
