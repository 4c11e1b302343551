"""PSFs without optics: non-negative, sum one, fitted to each frame given the sky."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.numerics.sky.likelihood import CHUNK, Sums, sums


def onto_simplex(values: Tensor) -> Tensor:
    """Nearest non-negative images (frame, y, x) that sum to one (Held, Wolfe and Crowder 1974)."""
    flat = values.reshape(len(values), -1)
    ordered = flat.sort(1, descending=True).values
    excess = ordered.double().cumsum(1) - 1.0
    count = torch.arange(1, flat.shape[1] + 1, device=flat.device)
    last = (ordered - excess / count > 0).sum(1, keepdim=True) - 1
    level = (excess.gather(1, last) / (last + 1)).to(flat.dtype)
    return (flat - level).clamp_min(0).view_as(values)


def flat_start(frames: int, size: int, width: float, device: torch.device | str = "cpu") -> Tensor:
    """PSFs to start from (frame, y, x), centred on [0, 0]: a Gaussian of `width` pixels rms."""
    offset = torch.fft.fftfreq(size, device=device) * size
    line = torch.exp(-0.5 * (offset / width) ** 2)
    blob = line[:, None] * line[None, :]
    return (blob / blob.sum()).expand(frames, size, size).clone()


def fit(spectra: Tensor, sky: Tensor, psfs: Tensor, steps: int) -> Tensor:
    """PSFs (frame, y, x), centred on [0, 0], that make `sky` (y, x//2+1) into frames of `spectra` (frame, y, x//2+1).

    Accelerated projected gradient; each frame drops its momentum when it points uphill. The sum is fixed, so zero
    frequency teaches nothing and is left out: it would shorten every step a hundredfold.
    """
    size = spectra.shape[-2]
    weight = sky.real**2 + sky.imag**2
    weight[0, 0] = 0.0
    longest = 1.0 / float(weight.max().clamp_min(1e-30))
    here, ahead = psfs, psfs
    momentum = torch.ones(len(psfs), 1, 1, device=psfs.device)
    pull = sky.conj() * spectra
    pull[:, 0, 0] = 0.0
    for _ in range(steps):
        slope = torch.fft.irfft2(weight * torch.fft.rfft2(ahead) - pull, s=(size, size))
        there = onto_simplex(ahead - longest * slope)
        uphill = ((ahead - there) * (there - here)).sum((1, 2), keepdim=True) > 0
        momentum = torch.where(uphill, torch.ones_like(momentum), momentum)
        longer = 0.5 * (1 + (1 + 4 * momentum**2).sqrt())
        ahead = there + (momentum - 1) / longer * (there - here)
        here, momentum = there, longer
    return here


def psf_turn(spectra: Tensor, sky: Tensor, start: Tensor, steps: int = 100) -> tuple[Tensor, Sums]:
    """PSFs (frame, y, x) of a batch given the sky's spectrum, and the A and B of the batch."""
    parts = [fit(spectra[i : i + CHUNK], sky, start[i : i + CHUNK], steps) for i in range(0, len(spectra), CHUNK)]
    psfs = torch.cat(parts)
    return psfs, sums(spectra, torch.fft.rfft2(psfs))
