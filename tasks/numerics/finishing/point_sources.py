"""Point-like light in pictures: whether a finished picture shows sources that the one it was made from does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]

REACH_PX = 2
"""A source is looked for this far around its place in the other picture."""
WIDE_PX = 15
"""Side of the window whose median is the light around a source."""
STEP_PX = 3
"""Distance of the pixels on which the median is taken."""
MIN_SIGMA = 5.0
"""Contrast of a source, in units of the standard error."""
MIN_SHARE = 0.02
"""The same as a fraction of the picture's range: structure of a disc is no source."""
MIN_CONTRAST_BEFORE = 0.2
"""A source that had less than this fraction of its contrast before is taken for invented."""


def new_sources(result: Image, picture: Image, sigma: float) -> int:
    """How many point-like sources of the result (y, x) the picture does not show at the same place."""
    after, before = _contrast(result), _contrast(picture)
    seen = ndimage.maximum_filter(before, 2 * REACH_PX + 1)
    return int((_peaks(after, sigma) & (seen < MIN_CONTRAST_BEFORE * after)).sum())


def _contrast(picture: Image) -> Image:
    """The picture above the median around, which is taken on every third pixel: there it costs a thirtieth."""
    coarse = ndimage.median_filter(ndimage.gaussian_filter(picture, 1.0)[::STEP_PX, ::STEP_PX], WIDE_PX // STEP_PX)
    grid = np.meshgrid(*[np.arange(n) / STEP_PX for n in picture.shape], indexing="ij")
    around = ndimage.map_coordinates(coarse, grid, order=1, mode="nearest")
    return np.asarray(picture - around, np.float32)


def _peaks(contrast: Image, sigma: float) -> NDArray[np.bool_]:
    least = max(MIN_SIGMA * sigma, MIN_SHARE * float(np.ptp(contrast)))
    highest = ndimage.maximum_filter(contrast, 2 * REACH_PX + 1) == contrast
    return np.asarray(highest & (contrast > least))
