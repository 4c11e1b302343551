"""Light in 16-bit codes: a level and a step for each plane, so fine that rounding is far below the noise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Planes = NDArray[np.float32]
"""(frame, channel) a number for each plane."""

CODES = 65535
"""Largest code."""


def compacted(block: Image) -> tuple[NDArray[np.uint16], Planes, Planes]:
    """Codes (frame, channel, y, x) of light, and the level and step (frame, channel) that give it back.

    Level a whole number, step a power of two: whole numbers up to 65535 above the level, which are what a camera writes,
    come back exactly.
    """
    level = np.floor(block.min(axis=(-2, -1)))
    span = np.maximum(block.max(axis=(-2, -1)).astype(np.float64) - level, 1e-30)
    step = np.exp2(np.ceil(np.log2(span / CODES))).astype(np.float32)
    codes = np.rint((block - level[..., None, None]) / step[..., None, None])
    return codes.astype(np.uint16), level.astype(np.float32), step


def expanded(codes: NDArray[Any], level: Planes, step: Planes) -> Image:
    """Light (frame, channel, y, x) of such codes."""
    light = codes.astype(np.float32)
    light *= step[..., None, None]
    light += level[..., None, None]
    return light
