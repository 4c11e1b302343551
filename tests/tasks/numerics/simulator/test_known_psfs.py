"""Transfer functions of known PSFs, and an error measure that is independent of position."""

import numpy as np
import pytest
import torch

from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import make_pupil, otfs, psfs
from tasks.numerics.simulator.known_psfs import known_transfer, psf_rms_error

SIZE = 48


@pytest.fixture
def air():
    """Three PSFs (frame, y, x) centred on [0, 0] and their transfer functions."""
    pupil = make_pupil(SIZE, Aperture(SIZE / 2, 0.3), 20)
    phases = torch.from_numpy(np.random.default_rng(2).normal(0, 0.5, (3, 20))).float()
    return psfs(pupil, phases), otfs(pupil, phases)


def centred(pictures: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.fft.fftshift(pictures, dim=(-2, -1)).numpy())


def test_transfer_function_is_the_psf_s(air):
    pictures, transfer = air
    assert known_transfer(centred(pictures), np.zeros((3, 2)), 0.0, SIZE) == pytest.approx(transfer, abs=1e-5)
    pixel = np.outer(np.sinc(np.fft.fftfreq(SIZE)), np.sinc(np.fft.rfftfreq(SIZE)))
    seen = torch.fft.irfft2(transfer * torch.from_numpy(pixel).float(), s=(SIZE, SIZE))
    assert known_transfer(centred(seen), np.zeros((3, 2)), 1.0, SIZE) == pytest.approx(transfer, abs=1e-4)


def test_a_psf_wider_than_the_canvas_is_sampled_not_cut(air):
    pictures, _ = air
    transfer = known_transfer(centred(pictures), np.zeros((3, 2)), 0.0, SIZE // 2)
    whole = known_transfer(centred(pictures), np.zeros((3, 2)), 0.0, SIZE)
    assert transfer[:, :12, :12] == pytest.approx(whole[:, :24:2, :24:2], abs=1e-5)


def test_moves_shift_the_psf(air):
    pictures, _ = air
    moved = known_transfer(centred(pictures), np.array([[0, 0], [3, -2], [0.5, 0]]), 0.0, SIZE)
    back = torch.fft.irfft2(moved, s=(SIZE, SIZE))
    assert back[1] == pytest.approx(np.roll(pictures[1].numpy(), (3, -2), (0, 1)), abs=1e-6)
    assert back[0] == pytest.approx(pictures[0].numpy(), abs=1e-6)


def test_the_error_is_independent_of_position(air):
    _, transfer = air
    ramp = np.exp(-2j * np.pi * np.fft.fftfreq(SIZE) * 2.3)[:, None] * np.exp(2j * np.pi * np.fft.rfftfreq(SIZE) * 4.71)
    moved = (transfer * torch.from_numpy(ramp)).to(torch.complex64)
    assert psf_rms_error(moved, transfer) == pytest.approx(np.zeros(3), abs=0.01)
    assert psf_rms_error(1.1 * moved, transfer) == pytest.approx(np.full(3, 0.1), abs=0.005)
    assert psf_rms_error(transfer.roll(1, 0), transfer).min() > 0.2
