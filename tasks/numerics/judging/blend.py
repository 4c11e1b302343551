"""A blend of sky and stack: the sky's rings as far as held-out frames and half-sets support them, the stack's beyond."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from tasks.numerics.fourier.rings import frequencies, radius, ring_mean, rings
from tasks.numerics.fourier.sampling import masked
from tasks.numerics.judging.heldout import HeldoutFrames, fit
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.propagation import CHUNK
from tasks.numerics.optics.pupil import otfs

Image = NDArray[np.float32]
F64 = NDArray[np.float64]

INNER_RINGS = 6
"""Rings from which every fit of a PSF may learn, and which are always believed: without them there is no tip and tilt."""
BLOCK_CELLS = 6
"""Side of the blocks of coefficients that are fitted or tested together: neighbours are not independent."""
MIN_BETA = 0.5
"""A ring whose model should be less than half as strong is more error than sky: taking it would raise the squared error."""
MEDIAN_RINGS = 7
"""Rings whose median counts, as one ring by itself scatters."""
EDGE_RINGS = 3
"""Width of the edge between sky and stack: a sharp one rings."""
IGNORED = 1e30
"""Noise power that takes a coefficient out of a fit."""


def ring_products(
    held: HeldoutFrames, sky: Tensor, d_over_r0: float, steps: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Sums (ring,) of Re(conj(HX) Y) and |HX|^2 over held-out frames, on coefficients from which H was not fitted.

    The phases are fitted on a random half of the coefficients and tested on the other half, then the other way round.
    """
    size, device = held.pupil.size, held.spectra.device
    first = torch.from_numpy(_random_half(size, seed)).to(device)
    inner, number = frequencies(size, device) * size < INNER_RINGS, rings(size, device)
    sigma = torch.from_numpy(phase_sigma(len(held.pupil.modes), d_over_r0)).to(device)
    level, ignored = torch.tensor(held.noise, device=device), torch.tensor(IGNORED, device=device)
    cross = torch.zeros(int(number.max()) + 1, device=device)
    power = torch.zeros_like(cross)
    for half in (first, ~first):
        fitted = half | inner
        phases = fit(held.pupil, held.spectra, sky, torch.where(fitted, level, ignored), sigma, steps, held.sampling)
        for start in range(0, len(phases), CHUNK):
            part = slice(start, start + CHUNK)
            model = masked(otfs(held.pupil, phases[part]) * sky, held.sampling)
            tested = (~fitted).float() / held.noise
            cross = cross + ring_mean((model.conj() * held.spectra[part]).real.sum(0) * tested, number)
            power = power + ring_mean((model.real**2 + model.imag**2).sum(0) * tested, number)
    return cross.cpu(), power.cpu()


def believed_rings(cross: Tensor, power: Tensor) -> int:
    """Number of rings up to the first whose beta = cross / power is below MIN_BETA."""
    beta = (cross / power.clamp_min(1e-30)).double().numpy()
    beta[:INNER_RINGS] = 1.0
    low = ndimage.median_filter(beta, MEDIAN_RINGS, mode="nearest") < MIN_BETA
    low[:INNER_RINGS] = False
    return int(np.argmax(low)) if low.any() else len(low)


def ring_weights(believed: int, ring: F64) -> F64:
    """Weight of the sky at a ring number: one below the first that is not believed, zero beyond, with a smooth edge."""
    ramp = np.clip((believed - ring) / EDGE_RINGS, 0.0, 1.0)
    return np.asarray(ramp**2 * (3 - 2 * ramp))


def blended(stack: Image, sky: Image, believed: int, size: int) -> Image:
    """The stack (y, x) with the sky's rings; `believed` counts rings of a canvas of `size`."""
    weight = ring_weights(believed, radius((stack.shape[0], stack.shape[1])) * size)
    change = np.fft.irfft2(weight * np.fft.rfft2(sky - stack), s=stack.shape)
    return np.asarray(stack + change, np.float32)


def _random_half(size: int, seed: int) -> NDArray[np.bool_]:
    """A random half of the coefficients (y, x//2+1), in blocks."""
    blocks = np.random.default_rng(seed).random((size // BLOCK_CELLS + 2, size // BLOCK_CELLS + 2)) < 0.5
    rows = (np.fft.fftfreq(size) * size).round().astype(int) + size // 2
    columns = np.arange(size // 2 + 1)
    return np.asarray(blocks[(rows // BLOCK_CELLS)[:, None], (columns // BLOCK_CELLS)[None]])
