"""Pictures in coarser pixels."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.floating)


def binned(pictures: NDArray[Kind], by: int) -> NDArray[Kind]:
    """Means of `by` x `by` pixels of pictures (..., y, x), whose sides are multiples of that."""
    *leading, height, width = pictures.shape
    means: NDArray[Kind] = pictures.reshape(*leading, height // by, by, width // by, by).mean(axis=(-3, -1))
    return means
