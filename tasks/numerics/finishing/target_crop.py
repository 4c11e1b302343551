"""Where a target stands in its frame, and the square around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]

BRIGHT = 0.08
"""Fraction of the brightest light above the dark level from which a pixel belongs to the target."""
MARGIN = 0.25
"""Dark border around the target, as a fraction of its size."""
MIN_SIDE_PX = 32
"""Smallest side of a crop."""


@dataclass(frozen=True)
class Box:
    """A part of a frame, whole pixels."""

    top: int
    left: int
    side: int

    def of(self, picture: Image) -> Image:
        """The part of a picture (..., y, x)."""
        return picture[..., self.top : self.top + self.side, self.left : self.left + self.side]


def square_around(picture: Image) -> Box | None:
    """The square whose middle is the target's, None where the target fills the frame or there is none.

    `picture` is (y, x). Where the square would leave the frame it is made smaller rather than moved, as long as it holds
    the target.
    """
    smooth = ndimage.uniform_filter(np.asarray(picture, np.float64), 3)
    dark, light = np.percentile(smooth, 5), smooth.max()
    labels, count = ndimage.label(smooth > dark + BRIGHT * max(light - dark, 1e-30))
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    rows, columns = ndimage.find_objects(labels)[int(sizes.argmax())]
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height > 0.9 * picture.shape[0] or width > 0.9 * picture.shape[1]:
        return None
    middle = ((rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2)
    wanted = max(MIN_SIDE_PX, round(max(height, width) * (1 + 2 * MARGIN)))
    room = [2 * min(m, n - m) for m, n in zip(middle, picture.shape, strict=True)]
    side = min(wanted, int(min(room)), *picture.shape)
    if side < max(height, width):  # near the frame's edge the target stays whole, if not in the middle
        side = min(wanted, *picture.shape)
    corner = [int(np.clip(round(m - side / 2), 0, n - side)) for m, n in zip(middle, picture.shape, strict=True)]
    return Box(corner[0], corner[1], side)
