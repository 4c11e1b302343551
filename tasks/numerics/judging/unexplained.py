"""Which frames a sky does not explain."""

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.robust import mad_sigma

MIN_SIGMAS, MIN_EXCESS = 6, 0.1
"""By how many deviations, and by what share, a frame's misfit must exceed the median to be called unexplained."""


def unexplained_frames(frames: NDArray[np.int64], misfits: NDArray[np.float32]) -> list[int]:
    """Numbers of the frames that the sky explains so much worse than the others that it is not chance.

    A frame solved from several starts counts with the best of them.
    """
    number, which = np.unique(frames, return_inverse=True)
    best = np.full(len(number), np.inf, np.float32)
    np.minimum.at(best, which, misfits)
    middle = float(np.median(best))
    limit = middle + max(MIN_SIGMAS * mad_sigma(best), MIN_EXCESS * middle)
    return [int(k) for k in number[best > limit]]
