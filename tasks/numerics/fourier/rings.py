"""Spatial frequencies of half-plane spectra, and sums and means over rings of equal frequency.

Tensors (torch) serve the solver on square canvases, arrays (numpy) the frames, which may be oblong.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft
from torch import Tensor

F64 = NDArray[np.float64]

RINGS = np.linspace(0.0, 1.0, 41)
"""Where radial profiles are sampled: spatial frequency as a fraction of the telescope's cut-off."""


def frequencies(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Spatial frequency (y, x//2+1) of a half-plane spectrum, cycles per pixel."""
    fy = torch.fft.fftfreq(size, device=device)
    fx = torch.fft.rfftfreq(size, device=device)
    return torch.hypot(fy[:, None], fx[None, :])


def rings(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Ring number (y, x//2+1): frequency in cycles per canvas, rounded."""
    return torch.round(frequencies(size, device) * size).long()


def multiplicity(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Weight (x//2+1,) of each column of a half-plane spectrum in sums over the full plane: 1, or 1/2 if it occurs once."""
    weight = torch.ones(size // 2 + 1, device=device)
    weight[0] = 0.5
    if size % 2 == 0:
        weight[-1] = 0.5
    return weight


def ring_mean(values: Tensor, number: Tensor) -> Tensor:
    """Mean (ring,) of real values (y, x//2+1) over each ring of the full plane."""
    weight = multiplicity(values.shape[-2], values.device).expand_as(values)
    length = int(number.max()) + 1
    total = torch.zeros(length, dtype=values.dtype, device=values.device)
    count = torch.zeros_like(total)
    total.index_add_(0, number.reshape(-1), (values * weight).reshape(-1))
    count.index_add_(0, number.reshape(-1), weight.reshape(-1).to(values.dtype))
    return total / count.clamp_min(1e-12)


def radius(size: tuple[int, int]) -> F64:
    """Spatial frequency in cycles per pixel on the rfft2 grid of a frame of `size` (y, x)."""
    return np.asarray(np.hypot(fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None]))


def radii(shape: tuple[int, int], cutoff: float) -> F64:
    """Spatial frequency of each rfft2 coefficient (y, x) as a fraction of `cutoff` (cycles per pixel)."""
    return radius(shape) / cutoff


def ring_index(size: tuple[int, int]) -> NDArray[np.int64]:
    """Ring number of each rfft2 coefficient; rings are 1/min(size) cycles per pixel wide."""
    return np.rint(radius(size) * min(size)).astype(np.int64)


def ring_sums(values: NDArray[np.floating], size: tuple[int, int]) -> F64:
    """Sums over rings 0 .. n/2 of an array on the rfft2 grid, each coefficient counted once."""
    sums = np.bincount(ring_index(size).ravel(), values.ravel(), minlength=min(size))
    return np.asarray(sums[: min(size) // 2 + 1], dtype=np.float64)


def radial_profile(values: F64, radius: F64) -> F64:
    """Mean (..., ring) of `values` (..., coefficient) at RINGS; a coefficient counts for the two rings next to its `radius`.

    The linear weights keep a ring's effective radius the same on grids of different size. Empty rings are nan.
    """
    at = np.clip(radius, 0.0, 2.0) * (len(RINGS) - 1)
    low = at.astype(np.int64)
    size = 2 * len(RINGS)
    high = at - low
    flat = [np.ones(values.shape[-1]), *values.reshape(-1, values.shape[-1])]
    sums = [np.bincount(low, (1 - high) * v, size) + np.bincount(low + 1, high * v, size) for v in flat]
    weight, *total = (row[: len(RINGS)] for row in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: F64 = (np.array(total) / weight).reshape(*values.shape[:-1], len(RINGS))
    return means
