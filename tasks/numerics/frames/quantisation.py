"""What rounding to whole codes does to frames: its noise, and whether it hides that of the dark sky."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

SHARE_OF_A_STEP = 1 / 12
"""Variance of numbers spread evenly over one step, over the step squared."""
DARKEST_PERCENT = 10
"""Pixels that vary least over time show the noise of the sky."""


def code_step(frames: NDArray[Any]) -> int:
    """The step between codes of frames: 16 where 12 bits stand at the top of 16; 0 for frames that are no whole numbers."""
    if frames.dtype.kind not in "ui":
        return 0
    codes = np.unique(frames).astype(np.int64)
    return int(np.gcd.reduce(codes - codes[0])) or 1


def rounding_noise(frames: NDArray[Any], step: int, response: NDArray[np.floating] | None = None) -> float:
    """Variance per pixel, in units of light squared, that rounding to codes leaves in frames.

    `response` is the linear light of each code where codes are not linear: their step differs from code to code.
    """
    if response is None:
        return SHARE_OF_A_STEP * step**2
    slope = np.gradient(np.asarray(response, np.float64))
    return SHARE_OF_A_STEP * step**2 * float(np.mean(slope[frames] ** 2))


def sky_noise_steps(variance: Image, step: int) -> float:
    """Noise of the dark sky over one step, from the temporal variance (y, x) of frames; below one, the sky is posterised."""
    return float(np.sqrt(max(float(np.percentile(variance, DARKEST_PERCENT)), 0.0))) / step
