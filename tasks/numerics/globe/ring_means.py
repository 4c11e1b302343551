"""Rings of spatial frequency of a picture, as those who combine skies count them: cycles per the longer side."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Values = NDArray[np.float64]


def rings_of(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Ring (y, x//2+1) of every coefficient of a picture's real transform."""
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None])
    return np.rint(frequency * max(shape)).astype(np.intp)


def ring_mean(values: Values, bins: NDArray[np.intp]) -> Values:
    """Mean (ring,) of values at coefficients."""
    counts = np.bincount(bins.ravel())
    return np.asarray(np.bincount(bins.ravel(), weights=values.ravel()) / np.maximum(counts, 1))


def at_rings(steps: Values, rings: int, side: int) -> Values:
    """Curves (part, ring) of curves (part, step) at 0 .. 0.5 cycles/px; beyond 0.5 the last value holds."""
    given = np.linspace(0, 0.5, steps.shape[1])
    return np.stack([np.interp(np.arange(rings) / side, given, each) for each in steps])
