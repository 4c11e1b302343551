"""The standard error of a sky, pixel by pixel, from the difference of its half-sets and from the noise."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.sky.half_agreement import HalfSums
from tasks.numerics.sky.wiener import known_fraction, noise_gain, wiener

Image = NDArray[np.float32]

SMOOTH_PX = 2.0
"""Radius over which the squared difference of the halves is averaged: one pixel alone has one degree of freedom."""
MIN_OWN_SHARE = 0.1
"""Smallest share of frames that the halves must not have in common for their difference to be scaled up by it."""

MAX_LOST = 1.0
"""Largest power that the prior may have taken from a coefficient, over the power that is left: beyond it nothing is shown."""


def standard_error(sums: HalfSums, floor: Tensor, shown: Tensor, amplitude_sigma: Tensor | None = None) -> Image:
    """Standard error (y, x) on the canvas of the picture that `shown` (y, x//2+1) makes of the Wiener-filtered sky.

    Half the difference of the skies of two half-sets that were solved apart is an error of their mean: noise, local minima
    and PSFs fitted to noise all enter it. Its square is averaged over a few pixels, and divided by the share of frames that
    the halves do not have in common. It is nowhere taken below the noise that the Wiener filter passes, which is all that is
    known of a single solve. Added is what both halves share and can be told: the light that the prior took, and the error
    of the amplitude, `amplitude_sigma` (y, x//2+1) of its logarithm. That of a wrong telescope does not show.
    """
    total, size = sums.total, sums.total.size
    passed = noise_gain(total, floor) * shown**2 * multiplicity(size) * 2
    variance = np.full((size, size), sums.noise * float(passed.double().sum()) / size**4)
    if not sums.single_solve:
        parts = (sums.half, total - sums.half)
        first, second = (wiener(part, floor * (part.frames / total.frames)) for part in parts)
        half = torch.fft.irfft2(shown * (first - second) / 2, s=(size, size)).double().numpy()
        own = max(MIN_OWN_SHARE, 1 - sums.shared_noise_fraction)
        variance = np.maximum(variance, ndimage.gaussian_filter(half**2, SMOOTH_PX, mode="wrap") / own)
    sky = shown * wiener(total, floor)
    kept = known_fraction(total, floor).clamp_min(1e-6)
    common = [((1 - kept) / kept).clamp(0, MAX_LOST).sqrt()]
    if amplitude_sigma is not None:
        common.append(amplitude_sigma)
    for share in common:
        error = torch.fft.irfft2(sky * share, s=(size, size)).double().numpy()
        variance = variance + ndimage.gaussian_filter(error**2, SMOOTH_PX, mode="wrap")
    return np.sqrt(variance).astype(np.float32)
