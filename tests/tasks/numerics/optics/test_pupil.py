"""PSFs of a pupil: non-negative, normalised, band-limited, the same on smaller squares."""

import pytest
import torch

from tasks.numerics.fourier.rings import frequencies
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil, otfs, psfs


def test_modes_are_orthonormal_and_without_piston() -> None:
    pupil = make_pupil(48, Aperture(24.0, 0.3), 30)
    weight = pupil.amplitude / pupil.amplitude.sum()
    gram = (pupil.modes * weight) @ pupil.modes.T
    assert torch.allclose(gram, torch.eye(30), atol=1e-4)
    assert (pupil.modes @ weight).abs().max() < 1e-4


def test_psfs_are_non_negative_normalised_and_band_limited() -> None:
    pupil = make_pupil(48, Aperture(20.0, 0.3), 20)
    phases = torch.randn(3, 20, generator=torch.Generator().manual_seed(1))
    images = psfs(pupil, phases)
    assert images.min() >= 0
    assert torch.allclose(images.sum((1, 2)), torch.ones(3), atol=1e-5)
    transfer = otfs(pupil, phases)
    assert transfer[:, frequencies(48) > 22 / 48].abs().max() < 1e-5
    assert (transfer.abs() <= diffraction_otf(pupil) + 1e-5).all()


def test_tilt_moves_the_psf_without_changing_its_size() -> None:
    pupil = make_pupil(64, Aperture(24.0, 0.0), 5)
    phases = torch.zeros(2, 5)
    phases[1, 0] = 2.0
    still, moved = otfs(pupil, phases)
    assert torch.allclose(still.abs(), moved.abs(), atol=2e-3)
    assert not torch.allclose(still, moved, atol=0.1)


@pytest.mark.parametrize("grid", [30, 40])
def test_psfs_of_a_smaller_square_are_those_of_the_whole_canvas(grid: int) -> None:
    whole, part = (make_pupil(60, Aperture(30.0, 0.3), 10, side) for side in (60, grid))
    phases = 0.3 * torch.randn(2, 10, generator=torch.Generator().manual_seed(4))
    assert psfs(part, phases).shape == (2, grid, grid)
    torch.testing.assert_close(otfs(part, phases)[:, 0, 0].real, torch.ones(2))
    torch.testing.assert_close(otfs(part, phases), otfs(whole, phases), rtol=0, atol=0.03)


@pytest.mark.parametrize("grid", [60, 40])
def test_nothing_passes_beyond_the_cut_off(grid: int) -> None:
    pupil = make_pupil(60, Aperture(24.0, 0.3), 10, grid)
    phases = torch.randn(3, 10, generator=torch.Generator().manual_seed(4))
    assert otfs(pupil, phases)[:, frequencies(60) > 0.42].abs().max() < 1e-6
