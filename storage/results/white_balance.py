"""White balance of pictures for the eye; measured skies are never changed by it."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
White = str | tuple[float, float, float]
"""grey-world, g2v, none, or factors on red, green and blue."""

G2V_FACTORS = (1.3, 1.0, 1.6)
"""Factors on red, green and blue that make sunlight white behind a typical Bayer sensor and an infrared cut filter."""
MAX_FACTOR = 2.0
"""Largest factor, either way, of a grey world: colours that sensors see unlike by more than that are the target's own."""
DARK_PERCENT = 1
"""Percentile of a channel that counts as dark sky."""


def white_balanced(sky: Image, white: White) -> Image:
    """A sky (channel, y, x) whose channels are scaled above their dark level; of one channel the same."""
    if len(sky) != 3 or white == "none":
        return sky
    dark = np.percentile(sky, DARK_PERCENT, axis=(-2, -1), keepdims=True)
    return np.asarray((sky - dark) * _factors(sky - dark, white)[:, None, None] + dark[1], np.float32)


def _factors(light: Image, white: White) -> NDArray[np.float64]:
    """Factor of each channel."""
    if white == "grey-world":
        mean = np.maximum(light.mean(axis=(-2, -1), dtype=np.float64), 1e-30)
        return np.asarray(np.clip(mean[1] / mean, 1 / MAX_FACTOR, MAX_FACTOR))
    return np.array(G2V_FACTORS if white == "g2v" else white, np.float64)
