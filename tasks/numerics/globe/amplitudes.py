"""How strongly the skies of a session show each ring of spatial frequency: the amplitude on which they agree."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.globe.ring_means import at_rings, ring_mean, rings_of

Values = NDArray[np.float64]

MIN_KNOWN = 0.03
"""A part that knows less of a ring's power tells nothing of its amplitude."""
MIN_SIGMA = 0.02
"""No part tells the logarithm of an amplitude better."""
FREEDOM = 4.0
"""Degrees of freedom of the t distribution in which a part may err: one far off the others counts little."""
PASSES = 10
MAX_GAIN = 2.0
"""Most by which an amplitude is changed."""
SMOOTH_RINGS = 3


def levelled(planes: Values, known: Values, sigma: Values) -> Values:
    """Pictures (part, y, x) of one sky whose rings all have the amplitude on which they agree.

    A sky's amplitude is told by the seeing, from the frames of its own capture, and is wrong by `sigma`: the standard
    deviation of its logarithm (part, step), at the steps of `known`, the share of the ring's power that is known. These
    errors of captures are independent, and larger than their noise where the seeing is strong: averaged they fall as noise does.
    """
    bins = rings_of(planes.shape[-2:])
    rings, side = int(bins.max()) + 1, max(planes.shape[-2:])
    share, spread = at_rings(known, rings, side), np.hypot(at_rings(sigma, rings, side), MIN_SIGMA)
    used = share > MIN_KNOWN
    spectra = fft.rfft2(planes - planes.mean(axis=(-2, -1), keepdims=True))
    power = np.stack([ring_mean(np.abs(each) ** 2, bins) for each in spectra]) / np.maximum(share, MIN_KNOWN)
    used &= power > 0
    used[:, 0] = False
    amplitude = 0.5 * np.log(np.where(used, power, 1.0))
    gain = np.exp(_corrections(amplitude, spread, used)).clip(1 / MAX_GAIN, MAX_GAIN)
    moved: Values = fft.irfft2(spectra * gain[:, bins], s=planes.shape[-2:])
    return moved + planes.mean(axis=(-2, -1), keepdims=True)


def _corrections(amplitude: Values, spread: Values, used: NDArray[np.bool_]) -> Values:
    """What is to be added to the logarithms of amplitudes (part, ring); beyond what a part knows, as at its last ring."""
    off, trust = np.zeros_like(amplitude), np.ones((len(amplitude), 1))
    for _ in range(PASSES):
        worth = used * trust / spread**2
        off = np.where(used, amplitude - (worth * amplitude).sum(0) / np.maximum(worth.sum(0), 1e-300), 0.0)
        square = ((off / spread) ** 2 * used).sum(1) / np.maximum(used.sum(1), 1)
        trust = ((FREEDOM + 1) / (FREEDOM + square))[:, None]
    for row, measured in zip(off, used, strict=True):
        places = np.flatnonzero(measured)
        if len(places):
            row[:] = np.interp(np.arange(len(row)), places, row[places])
    return np.asarray(ndimage.uniform_filter1d(-off, SMOOTH_RINGS, axis=1, mode="nearest"))
