"""Pictures in coarser pixels."""

import functools
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.floating)


def binned(pictures: NDArray[Kind], by: int) -> NDArray[Kind]:
    """Means of `by` x `by` pixels of pictures (..., y, x), whose sides are multiples of that."""
    rows = functools.reduce(
        np.add, (pictures[..., first::by, :] for first in range(by))
    )  # a mean over axes is much slower
    means = functools.reduce(np.add, (rows[..., first::by] for first in range(by))) / by**2
    return np.asarray(means, pictures.dtype)
