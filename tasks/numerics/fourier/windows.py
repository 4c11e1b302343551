"""Windows that take frames to zero at their border before they are transformed."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

EDGE = 8
"""A taper falls to zero over the outer 1/8 of each side."""


def edge_taper(size: tuple[int, int]) -> Image:
    """One inside, falling to zero as a squared sine over the outer eighth of each side (y, x), at least two pixels."""
    sides = []
    for n in size:
        width = min(max(n // EDGE, 2), n // 2)
        rise = np.sin(np.pi / 2 * (np.arange(width) + 0.5) / max(width, 1)) ** 2
        sides.append(np.concatenate([rise, np.ones(n - 2 * width), rise[::-1]]))
    return np.outer(sides[0], sides[1]).astype(np.float32)


def hann(shape: tuple[int, int]) -> NDArray[np.float64]:
    """A Hann window (y, x) of mean square one, so white noise keeps its power; steeper windows leak low rings into high."""
    edges = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in shape]
    window = np.outer(*edges)
    window /= np.sqrt((window**2).mean())
    return window
