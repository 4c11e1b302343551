"""How much of the light's spectrum a finished picture still holds: its effective transfer function, frequency by frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.rings import radius

F64 = NDArray[np.float64]

WIDTH_GRID_PX = 128
"""Side of the grid on which the width of a PSF is measured."""


@dataclass(frozen=True)
class Transfer:
    """Two real transfer functions as curves over spatial frequency, both one at zero."""

    frequencies_cpp: F64
    """(n,) rising, cycles per pixel."""
    telescope: F64
    """(n,) of the telescope without air: zero beyond its cut-off."""
    effective: F64
    """(n,) of the picture: telescope, what is left of the air, and what the solve attenuates."""

    def on(self, curve: F64, shape: tuple[int, int]) -> NDArray[np.float32]:
        """One of the curves on the rfft2 grid (y, x//2+1) of a picture of `shape`."""
        return np.interp(radius(shape), self.frequencies_cpp, curve, right=0.0).astype(np.float32)

    @property
    def fwhm_px(self) -> float:
        """Full width at half maximum of the effective PSF."""
        return width_of(self.on(self.effective, (WIDTH_GRID_PX, WIDTH_GRID_PX)))


def width_of(transfer: NDArray[np.float32]) -> float:
    """Full width at half maximum, px, of the PSF of a real transfer function (y, x//2+1) on a square grid."""
    size = len(transfer)
    half = np.fft.irfft2(transfer, s=(size, size))[0, : size // 2]
    below = np.flatnonzero(half < half[0] / 2)
    if half[0] <= 0 or not below.size:
        return float(size)
    first = int(below[0])
    inside, outside = float(half[first - 1]), float(half[first])
    return 2 * (first - 1 + (inside - float(half[0]) / 2) / (inside - outside))


def short_exposure(fraction: F64, frequencies_cpp: F64, d_over_r0: float, jitter_px: float) -> F64:
    """What registered frames' mean keeps of the telescope's own transfer, at fractions of its cut-off.

    Fried's mean transfer function without tilt, and the blur of what registration leaves, `jitter_px` rms per axis.
    """
    u = np.clip(fraction, 0.0, 1.0)
    air = np.exp(-3.44 * (u * d_over_r0) ** (5 / 3) * (1 - np.cbrt(u)))
    return np.asarray(air * np.exp(-2 * (np.pi * jitter_px * frequencies_cpp) ** 2))


def blended_transfer(sky: F64, stack: F64, weight: F64) -> F64:
    """Transfer (n,) of a picture that takes `weight` (n,) of its spectrum from the sky, the rest from the stack."""
    return np.asarray(weight * sky + (1 - weight) * stack)
