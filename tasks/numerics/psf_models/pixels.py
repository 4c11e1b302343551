"""PSFs as free pixels: non-negative, sum one, fitted to each frame given the sky."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tasks.numerics.fourier.sampling import FULL, Sampling, masked
from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.propagation import CHUNK
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil
from tasks.numerics.psf_models.base import Batch, Image, Memory, Plan, Solved
from tasks.numerics.sky.likelihood import sums


def begin(batch: Batch, plan: Plan) -> Memory:
    """A Gaussian as wide as the seeing."""
    width = max(1.0, 0.4 * batch.size / batch.aperture.diameter_cells * batch.d_over_r0)
    return {"psfs": gaussians(len(batch.spectra), batch.size, width, batch.spectra.device)}


def advance(batch: Batch, plan: Plan, memory: Memory, steps: int) -> Memory:
    """So many steps more; the momentum starts anew."""
    psfs, count = memory["psfs"], len(batch.spectra)
    blocks = (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
    return {
        "psfs": torch.cat(
            [fit(batch.spectra[block], batch.sky, psfs[block], steps, batch.sampling) for block in blocks]
        )
    }


def finish(batch: Batch, plan: Plan, memory: Memory) -> Solved:
    """The PSFs and their sums."""
    return Solved(memory["psfs"], sums(batch.spectra, torch.fft.rfft2(memory["psfs"]), batch.sampling))


def carried(psfs: Tensor, wavelength_ratio: float) -> Tensor:
    """The same pixels: nothing is known of the optical path behind them."""
    return psfs


def transfer_functions(psfs: Tensor, aperture: Aperture, size: int, d_over_r0: float) -> Tensor:
    """Transfer functions (frame, y, x//2+1) on a canvas of `size` of PSFs (frame, y, x) no wider than it."""
    small = psfs.shape[-1]
    padded = torch.zeros(len(psfs), size, size, device=psfs.device)
    low = size // 2 - small // 2
    padded[:, low : low + small, low : low + small] = torch.fft.fftshift(psfs, dim=(-2, -1))
    return torch.fft.rfft2(torch.fft.ifftshift(padded, dim=(-2, -1)))


def shifted(psfs: Tensor, shift: tuple[float, float], aperture: Aperture, size: int) -> Tensor:
    """PSFs (frame, y, x) shifted by (dy, dx) px, clipped at zero, sum one."""
    width = psfs.shape[-1]
    ramp = torch.from_numpy(phase_ramp((width, width), np.array(shift, np.float32))).to(psfs.device)
    moved = torch.fft.irfft2(torch.fft.rfft2(psfs) * ramp, s=(width, width)).clamp_min(0)
    return moved / moved.sum((-2, -1), keepdim=True)


def portraits(psfs: Image, aperture: Aperture, side: int) -> Image:
    """PSFs (frame, side, side) on their own pixels, at most as wide as they are, the brightest pixel in the middle."""
    size = psfs.shape[-1]
    peak = float(_diffraction_psf(aperture, size)[0, 0])
    side = min(side, size)
    out = np.empty((len(psfs), side, side), np.float32)
    for row, psf in zip(out, psfs, strict=True):
        y, x = np.unravel_index(int(np.argmax(psf)), psf.shape)
        row[:] = np.roll(psf, (side // 2 - int(y), side // 2 - int(x)), (0, 1))[:side, :side] / peak
    return out


def diffraction_portrait(aperture: Aperture, size: int, side: int) -> Image:
    """The diffraction-limited PSF (side, side) on the pixels of a canvas of `size`."""
    return portraits(_diffraction_psf(aperture, size).numpy()[None], aperture, side)[0]


def _diffraction_psf(aperture: Aperture, size: int) -> Tensor:
    """The diffraction-limited PSF (y, x), centred on [0, 0]."""
    psf: Tensor = torch.fft.irfft2(diffraction_otf(make_pupil(size, aperture, 3)), s=(size, size))
    return psf


def onto_simplex(values: Tensor) -> Tensor:
    """Nearest non-negative images (frame, y, x) that sum to one (Held, Wolfe and Crowder 1974)."""
    flat = values.reshape(len(values), -1)
    ordered = flat.sort(1, descending=True).values
    excess = ordered.double().cumsum(1) - 1.0
    count = torch.arange(1, flat.shape[1] + 1, device=flat.device)
    last = (ordered - excess / count > 0).sum(1, keepdim=True) - 1
    level = (excess.gather(1, last) / (last + 1)).to(flat.dtype)
    return (flat - level).clamp_min(0).view_as(values)


def gaussians(frames: int, size: int, width: float, device: torch.device | str = "cpu") -> Tensor:
    """Equal PSFs (frame, y, x), centred on [0, 0]: a Gaussian of `width` pixels rms."""
    offset = torch.fft.fftfreq(size, device=device) * size
    line = torch.exp(-0.5 * (offset / width) ** 2)
    blob = line[:, None] * line[None, :]
    return (blob / blob.sum()).expand(frames, size, size).clone()


def fit(spectra: Tensor, sky: Tensor, psfs: Tensor, steps: int, sampling: Sampling = FULL) -> Tensor:
    """PSFs (frame, y, x), centred on [0, 0], that make `sky` (y, x//2+1) into frames of `spectra` (frame, y, x//2+1).

    Accelerated projected gradient; a frame's momentum restarts when it points uphill. The sum is fixed, so the zero
    frequency is left out: it would shorten every step a hundredfold.
    """
    size = spectra.shape[-2]
    weight = sky.real**2 + sky.imag**2
    weight[0, 0] = 0.0
    step = 1.0 / float(weight.max().clamp_min(1e-30))
    current, ahead = psfs, psfs
    momentum = torch.ones(len(psfs), 1, 1, device=psfs.device)
    correlation = sky.conj() * spectra
    correlation[:, 0, 0] = 0.0
    for _ in range(steps):
        blurred = _again(torch.fft.rfft2(ahead), sky, weight, sampling)
        gradient = torch.fft.irfft2(blurred - correlation, s=(size, size))
        following = onto_simplex(ahead - step * gradient)
        uphill = ((ahead - following) * (following - current)).sum((1, 2), keepdim=True) > 0
        momentum = torch.where(uphill, torch.ones_like(momentum), momentum)
        longer = 0.5 * (1 + (1 + 4 * momentum**2).sqrt())
        ahead = following + (momentum - 1) / longer * (following - current)
        current, momentum = following, longer
    return current


def _again(transfer: Tensor, sky: Tensor, weight: Tensor, sampling: Sampling) -> Tensor:
    """The sky's correlation (frame, y, x//2+1) with the frames that transfer functions make of it."""
    if sampling.is_full:
        return weight * transfer
    again = sky.conj() * masked(sky * transfer, sampling)
    again[:, 0, 0] = 0.0
    return again
