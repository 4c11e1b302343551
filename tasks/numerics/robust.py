"""Robust scatter: a standard deviation that outliers do not change."""

import numpy as np
from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation."""


def mad_sigma(values: NDArray[np.floating]) -> float:
    """Standard deviation of `values` from the median absolute deviation around their median."""
    return MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))
