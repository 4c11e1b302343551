"""Sums over aliases give the sky of the dense normal equations, and without a mask what they always gave."""

import numpy as np
import pytest
import torch

from tasks.numerics.fourier.rings import frequencies
from tasks.numerics.fourier.sampling import FULL, Sampling, bayer_samplings
from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import make_pupil, otfs
from tasks.numerics.sky.likelihood import Problem, Sums, gradient, loss_of, sums
from tasks.numerics.sky.rounds import sum_batches
from tasks.numerics.sky.wiener import corner_noise, floor_of, known_fraction, noise_gain, ring_power, wiener

SIZE = 12
SAMPLINGS = [*bayer_samplings("RGGB"), Sampling(3, ((0, 0), (1, 2))), Sampling(4, ((1, 2), (3, 0), (0, 0)))]
EVERY_PIXEL = Sampling(2, ((0, 0), (0, 1), (1, 0), (1, 1)))


def blurred(sampling: Sampling, frames: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Spectra of masked frames and their transfer functions."""
    dice = torch.Generator().manual_seed(3)
    psfs = torch.rand(frames, SIZE, SIZE, generator=dice)
    transfer = torch.fft.rfft2(psfs / psfs.sum((-2, -1), keepdim=True))
    sky = torch.fft.rfft2(torch.randn(SIZE, SIZE, generator=dice))
    light = torch.fft.irfft2(transfer * sky, s=(SIZE, SIZE)) + 0.02 * torch.randn(frames, SIZE, SIZE, generator=dice)
    return torch.fft.rfft2(light * torch.from_numpy(sampling.mask(SIZE, SIZE))), transfer


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_sky_is_that_of_the_dense_normal_equations(sampling: Sampling) -> None:
    spectra, transfer = blurred(sampling)
    floor = 0.01 + frequencies(SIZE)
    found = torch.fft.irfft2(wiener(sums(spectra, transfer, sampling), floor), s=(SIZE, SIZE))
    unit = torch.eye(SIZE * SIZE).view(-1, SIZE, SIZE)
    mask = torch.from_numpy(sampling.mask(SIZE, SIZE))
    columns = torch.fft.rfft2(unit)
    seen = [mask * torch.fft.irfft2(columns * h, s=(SIZE, SIZE)) for h in transfer]
    matrix = torch.cat([each.reshape(len(unit), -1).T for each in seen]).double()
    prior = torch.fft.irfft2(columns * floor, s=(SIZE, SIZE)).reshape(len(unit), -1).double()
    light = torch.fft.irfft2(spectra, s=(SIZE, SIZE)).reshape(-1).double()
    dense = torch.linalg.solve(matrix.T @ matrix + prior, matrix.T @ light).view(SIZE, SIZE)
    torch.testing.assert_close(found.double(), dense, rtol=1e-3, atol=1e-3)


def test_a_mask_of_all_pixels_is_none() -> None:
    spectra, transfer = blurred(FULL)
    plain, mosaic = sums(spectra, transfer), sums(spectra, transfer, EVERY_PIXEL)
    floor, noise = 0.01 + frequencies(SIZE), torch.tensor(0.5)
    torch.testing.assert_close(wiener(mosaic, floor), wiener(plain, floor), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mosaic.own_power, plain.power)
    torch.testing.assert_close(known_fraction(mosaic, floor), known_fraction(plain, floor))
    torch.testing.assert_close(noise_gain(mosaic, floor), noise_gain(plain, floor), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(ring_power(mosaic, 0.05), ring_power(plain, 0.05), rtol=0.02, atol=1e-4)
    torch.testing.assert_close(loss_of(mosaic, noise, floor).float(), loss_of(plain, noise, floor).float())


@pytest.mark.parametrize("sampling", [FULL, *SAMPLINGS[:2]])
def test_the_gradient_is_that_of_the_loss(sampling: Sampling) -> None:
    size, aperture = 24, Aperture(11.0, 0.3)
    pupil = make_pupil(size, aperture, 8)
    dice = torch.Generator().manual_seed(1)
    phases = 0.5 * torch.randn(4, 8, generator=dice)
    sky = torch.fft.rfft2(10 * torch.randn(size, size, generator=dice))
    light = torch.fft.irfft2(otfs(pupil, phases) * sky, s=(size, size)) * torch.from_numpy(sampling.mask(size, size))
    problem = Problem(pupil, torch.fft.rfft2(light), None, sampling)
    noise, floor = torch.tensor(100.0), 0.01 + frequencies(size)
    start = phases + 0.2 * torch.randn(4, 8, generator=dice)
    slope = gradient(problem, start, noise, floor).phases
    ahead = torch.randn(4, 8, generator=dice)
    step = 1e-2
    losses = [gradient(problem, start + s * step * ahead, noise, floor).loss for s in (-1, 1)]
    assert (losses[1] - losses[0]) / (2 * step) == pytest.approx(float((slope * ahead).sum()), rel=0.02)


@pytest.mark.parametrize("sampling", SAMPLINGS[:2])
def test_batches_are_moved_and_added(sampling: Sampling) -> None:
    spectra, transfer = blurred(sampling)
    total = sums(spectra, transfer, sampling)
    arrays = [torch.stack([each, each]).numpy() for each in (total.power, total.cross)]
    move, floor = (1.3, -0.4), 0.01 + frequencies(SIZE)
    found = sum_batches(arrays[0], arrays[1], [move, move], np.array([True, True]), 0.5, sampling)
    ramp = torch.from_numpy(phase_ramp((SIZE, SIZE), np.array(move, np.float32)))
    moved = wiener(total, floor) * ramp
    assert found.frames == total.frames
    inside = (slice(None), slice(0, SIZE // 2))  # a shift by part of a pixel is not real at half a cycle per pixel
    far = torch.arange(SIZE) != SIZE // 2
    torch.testing.assert_close(wiener(found, floor)[inside][far], moved[inside][far], rtol=0.05, atol=0.1)


def test_noise_of_a_mosaic_is_that_of_all_its_pixels() -> None:
    dice = torch.Generator().manual_seed(0)
    noise = 3 * torch.randn(8, 64, 64, generator=dice)
    for sampling in bayer_samplings("GBRG"):
        spectra = torch.fft.rfft2(noise * torch.from_numpy(sampling.mask(64, 64)))
        assert corner_noise(spectra, 0.5, sampling=sampling) == pytest.approx(9 * 64**2, rel=0.1)


def test_the_ring_power_of_a_mosaic_is_the_skys() -> None:
    size, dice = 64, torch.Generator().manual_seed(2)
    law = (1 + 64 * frequencies(size)) ** -2.0 * 1e6
    sky = torch.fft.rfft2(torch.randn(size, size, generator=dice)) / size * law.sqrt()
    transfer = torch.exp(-((frequencies(size) / 0.25) ** 2)).expand(20, -1, -1) + 0j
    green = bayer_samplings("RGGB")[1]
    noise = 50.0
    white = torch.randn(20, size, size, generator=dice) * noise**0.5 / size
    light = torch.fft.irfft2(transfer * sky, s=(size, size)) + white
    total: Sums = sums(torch.fft.rfft2(light * torch.from_numpy(green.mask(size, size))), transfer, green)
    wanted = ring_power(sums(torch.fft.rfft2(light), transfer), noise)
    found = ring_power(total, noise)
    assert (found[3:24] / wanted[3:24]).log().abs().median() < 0.15
    assert bool(torch.isfinite(wiener(total, floor_of(found, noise, size)).abs()).all())
