"""The way to the transfer functions is that of the pupil, the way back is its adjoint, and memory is used again."""

import pytest
import torch

from tasks.numerics.fourier.lattice import QUARTERS, Lattice
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.propagation import CHUNK, Propagation, by_columns, by_rows, frame_spectra
from tasks.numerics.optics.pupil import make_pupil, psfs, spectra_of

SIZE, FRAMES = 30, CHUNK + 3


@pytest.mark.parametrize("grid", [SIZE, 18])
def test_transfer_functions_are_those_of_the_pupil(grid: int) -> None:
    pupil = make_pupil(SIZE, Aperture(15.0, 0.3), 9, grid)
    optics = Propagation(pupil, FRAMES)
    for seed in range(2):  # the second time in memory that holds the first
        phases = torch.randn(FRAMES, 9, generator=torch.Generator().manual_seed(seed))
        for frames in optics.chunks():
            found = by_rows(optics.conjugate_transfer(frames, phases[frames])).conj()
            torch.testing.assert_close(found, spectra_of(pupil, psfs(pupil, phases[frames])), rtol=0, atol=2e-6)


@pytest.mark.parametrize("grid", [SIZE, 18])
def test_gradient_is_autograds(grid: int) -> None:
    pupil = make_pupil(SIZE, Aperture(15.0, 0.3), 9, grid)
    dice = torch.Generator().manual_seed(2)
    phases = torch.randn(FRAMES, 9, generator=dice).requires_grad_()
    pictures = torch.rand(FRAMES, SIZE, SIZE, generator=dice)
    psf_spectra = spectra_of(pupil, psfs(pupil, phases))
    product = torch.fft.irfft2(psf_spectra.conj() * torch.fft.rfft2(pictures))[:, 0, 0].sum() * SIZE**2
    (expected,) = torch.autograd.grad(product, phases)
    optics, derivative = Propagation(pupil, FRAMES), by_columns(torch.fft.rfft2(pictures))
    for frames in optics.chunks():
        optics.conjugate_transfer(frames, phases.detach()[frames])
    found = torch.cat([optics.phase_gradient(frames, derivative[frames]) for frames in optics.chunks()])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("grid", [SIZE, 18, 14])
@pytest.mark.parametrize("lattice", QUARTERS)
def test_every_second_frequency_is_that_of_the_whole(grid: int, lattice: Lattice) -> None:
    """With PSFs wider than half the frame, whose halves are laid on each other, and with narrower ones."""
    pupil = make_pupil(SIZE, Aperture(15.0, 0.3), 9, grid)
    dice = torch.Generator().manual_seed(3)
    phases, derivative = torch.randn(3, 9, generator=dice), torch.fft.rfft2(torch.rand(3, SIZE, SIZE, generator=dice))
    optics, frames = Propagation(pupil, 3), slice(0, 3)
    whole = by_rows(optics.conjugate_transfer(frames, phases))
    alone = torch.zeros_like(derivative)
    lattice.of(alone).copy_(lattice.of(derivative))
    expected = optics.phase_gradient(frames, by_columns(alone))
    found = by_rows(optics.conjugate_transfer(frames, phases, lattice))
    torch.testing.assert_close(found, lattice.of(whole), rtol=0, atol=2e-6)
    gradient = optics.phase_gradient(frames, by_columns(lattice.of(derivative)), lattice)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_spectra_of_frames_are_in_the_order_of_the_optics() -> None:
    frames = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(1))
    spectra = frame_spectra(frames)
    torch.testing.assert_close(spectra, torch.fft.rfft2(frames))
    assert by_columns(spectra).data_ptr() == spectra.data_ptr(), "no copy"
