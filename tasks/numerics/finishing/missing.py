"""Which pixels of a frame are missing: defects of the sensor, saturated ones, and lines or blocks that were lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_LOST_PX = 16
"""Connected black pixels from which they count as lost and not as noise."""
AROUND_PX = 5
"""Side of the window whose median is the light around a dead pixel or line."""
MIN_LIGHT_SIGMA = 5.0
"""Light of the mean frame, in units of the noise, where black pixels cannot be the sky."""


def missing_pixels(raw: NDArray[Any], bad: Mask, expected: Image, noise: float, full_scale: float) -> Mask:
    """Missing pixels (channel, y, x) of a frame's codes; `expected` is the light there, `noise` the variance of a pixel."""
    mask = bad.copy()
    if full_scale > 0:
        mask |= raw >= full_scale
    lost = (raw == 0) & (expected > MIN_LIGHT_SIGMA * np.sqrt(max(noise, 0.0)))
    for plane, found in zip(mask, lost, strict=True):
        if found.any():
            groups, count = ndimage.label(found)
            sizes = ndimage.sum_labels(found, groups, np.arange(count + 1))
            plane |= (sizes >= MIN_LOST_PX)[groups]
    return mask


def expected_light(mean: Image) -> Image:
    """Light (channel, y, x) that a frame should show: the mean frame's, or that around where a line or a pixel is dead."""
    return np.maximum(mean, ndimage.median_filter(mean, (1, AROUND_PX, AROUND_PX), mode="nearest"))


def mean_of_known(frames: Iterable[tuple[Image, Mask, NDArray[np.float32]]]) -> tuple[Image, Image]:
    """Mean (channel, y, x) of frames, each given with its missing pixels and its shift, and how many show each place.

    Each frame is moved back by its shift, linearly: what is missing must not ring into its neighbours.
    """
    total, count = np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    for frame, mask, shift in frames:
        move = (0.0, -float(shift[0]), -float(shift[1]))
        total = total + ndimage.shift(np.where(mask, np.float32(0), frame), move, order=1, mode="constant")
        count = count + ndimage.shift((~mask).astype(np.float32), move, order=1, mode="constant")
    return np.asarray(total / np.maximum(count, 1e-3), np.float32), np.asarray(count, np.float32)


def thickness_px(mask: Mask) -> float:
    """Width of the widest hole of a mask (y, x), px: a column is one pixel wide."""
    if not mask.any():
        return 0.0
    padded = np.pad(mask, 1)
    return float(2 * np.ceil(ndimage.distance_transform_edt(padded).max()) - 1)


def proving_mask(mask: Mask, seed: int) -> Mask:
    """Good pixels (y, x) that are hidden to prove a filling: holes like those there are, elsewhere, and single pixels."""
    rng = np.random.default_rng(seed)
    moved = np.roll(mask, rng.integers(8, np.maximum(np.array(mask.shape) - 8, 9)), axis=(0, 1))
    return np.asarray((moved | (rng.random(mask.shape) < 0.02)) & ~mask)
