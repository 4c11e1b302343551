"""The part of the frames that an isolated target ever lights, with the dark sky that is needed around it."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.fourier.canvas import Box, fast_even
from tasks.numerics.robust import mad_sigma

Image = NDArray[np.float32]

MIN_SIDE_PX = 256
"""Smallest side: the part that is solved has 192 px, and the noise is told by sky around it."""
MIN_MARGIN_PX, MARGIN_SHARE = 48, 0.5
"""Dark sky on each side of the lit part, px and as a fraction of its length: the light that seeing spreads, and more."""
MAX_SHARE = 0.7
"""Largest share of the frame that is cut out: above it little is saved."""
MIN_LIGHT, MIN_SIGMAS = 0.01, 8.0
"""Light, and scatter over time, that counts: a fraction of the largest, and so many standard deviations of the smoothed
sky, which scatters twice as much in the corners."""


def lit_window(mean: Image, variance: Image, period: int = 1) -> Box:
    """Rows and columns of frames, from their mean and variance (y, x) over time, not registered.

    Wherever the target drifted it left light or scatter. Sides are even, fast to transform, and begin with whole periods of
    a mosaic; the whole frame where the target fills most of it.
    """
    lit = _lit(mean) | _lit(np.sqrt(variance))
    whole = slice(0, mean.shape[0]), slice(0, mean.shape[1])
    if not lit.any():
        return whole
    rows, columns = (_side(np.flatnonzero(lit.any(axis=axis)), mean.shape[1 - axis], period) for axis in (1, 0))
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if area <= MAX_SHARE * mean.size else whole


def _lit(picture: Image) -> NDArray[np.bool_]:
    smooth = ndimage.gaussian_filter(picture, 2.0, mode="nearest")
    dark = float(np.median(smooth))
    return np.asarray(smooth > dark + max(MIN_LIGHT * (float(smooth.max()) - dark), MIN_SIGMAS * mad_sigma(smooth)))


def _side(bright: NDArray[np.intp], length: int, period: int) -> slice:
    """Along one axis: the bright part with its margins, moved into the frame."""
    first, last = int(bright[0]), int(bright[-1]) + 1
    margin = max(MIN_MARGIN_PX, int(np.ceil(MARGIN_SHARE * (last - first))))
    size = fast_even(max(last - first + 2 * margin, MIN_SIDE_PX), 2 * period)
    if size >= length:
        return slice(0, length)
    start = int(np.clip((first + last - size) // 2, 0, length - size)) // (2 * period) * (2 * period)
    return slice(start, start + size)
