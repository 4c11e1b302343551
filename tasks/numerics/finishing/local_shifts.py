"""Local shifts of a frame against a reference, on a grid of patches: shimmer moves the parts of a wide target differently."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.fourier.canvas import border_level

Image = NDArray[np.float32]
Field = NDArray[np.float32]

REACH_PX = 5
"""Largest shift that is looked for, px; what the whole frame moved is taken out before."""
PASSES = 2
"""How often the shifts are measured: the second pass on the frame that the first one has moved, for what a parabola misses."""
NEAR, WIDE = 0.7, 3.0
"""Widths of the averages over neighbouring patches, in patches."""
MIN_BORDER = 0.4
"""Light at the border over the mean light from which a target counts as filling the field."""
FLAT = 0.02
"""A patch whose contrast is below this fraction of the best one's tells nothing: its neighbours speak for it."""


def local_field(frame: Image, reference: Image, patch_px: int = 16, step_px: int = 8) -> Field:
    """Shifts (2, y, x) dy, dx px of a frame (y, x): reference(p) = frame(p + field(p))."""
    field = np.zeros((2, *frame.shape), np.float32)
    level = _matched(frame, reference)
    for number in range(PASSES):
        field += _measured(warped(level, field), reference, patch_px, step_px, REACH_PX if number == 0 else 2)
    return field


def warped(frame: Image, field: Field) -> Image:
    """The frame (y, x) as the reference saw it: at p stands what the frame shows at p + field(p)."""
    grid = np.indices(frame.shape, dtype=np.float32) + field
    return np.asarray(ndimage.map_coordinates(frame, grid, order=3, mode="nearest"), np.float32)


def consistency_px(there: Field, back: Field) -> Image:
    """How far (y, x) px a way there and back misses its start: what is no true motion does not return."""
    grid = np.indices(there.shape[1:], dtype=np.float32) + there
    at = np.stack([ndimage.map_coordinates(axis, grid, order=1, mode="nearest") for axis in back])
    return np.asarray(np.hypot(*(there + at)), np.float32)


def _measured(frame: Image, reference: Image, patch_px: int, step_px: int, reach: int) -> Field:
    """One pass: squared differences of patches at whole shifts, the lowest one refined by a parabola."""
    sigma = patch_px / 4
    rows, columns = (np.arange(min(step_px // 2, n // 2), n, step_px) for n in frame.shape)
    padded = np.pad(frame, reach, mode="edge")
    offsets = range(2 * reach + 1)
    cost = np.empty((2 * reach + 1, 2 * reach + 1, len(rows), len(columns)), np.float32)
    for i in offsets:
        for j in offsets:
            moved = padded[i : i + frame.shape[0], j : j + frame.shape[1]]
            smooth = ndimage.gaussian_filter((moved - reference) ** 2, sigma, truncate=2.0)
            cost[i, j] = smooth[np.ix_(rows, columns)]
    shifts, curvature = _lowest(cost, reach)
    contrast = ndimage.gaussian_filter(reference**2, sigma) - ndimage.gaussian_filter(reference, sigma) ** 2
    variance = np.clip(contrast[np.ix_(rows, columns)], 0, None)
    weight = curvature * (variance > FLAT * variance.max()) + 1e-12
    return np.stack([_between(axis, weight, frame.shape, step_px) for axis in shifts])


def _lowest(cost: Image, reach: int) -> tuple[Field, Image]:
    """(shifts (2, row, column), how sharp the lowest cost is, 0..1) of costs (dy, dx, row, column)."""
    flat = cost.reshape(-1, *cost.shape[2:])
    best = np.stack(np.unravel_index(flat.argmin(0), cost.shape[:2]))
    inner = np.clip(best, 1, 2 * reach - 1)
    row, column = np.indices(cost.shape[2:])
    here = cost[inner[0], inner[1], row, column]
    shifts, sharp = np.zeros((2, *cost.shape[2:]), np.float32), np.full(cost.shape[2:], np.inf, np.float32)
    for axis in range(2):
        step = np.eye(2, dtype=int)[axis][:, None, None]
        low, high = (cost[(inner + s * step)[0], (inner + s * step)[1], row, column] for s in (-1, 1))
        bend = low + high - 2 * here
        move = np.where(bend > 0, (low - high) / np.where(bend > 0, 2 * bend, 1), 0)
        shifts[axis] = inner[axis] - reach + np.clip(move, -1, 1)
        sharp = np.minimum(sharp, bend)
    scale = np.maximum(cost.mean(axis=(0, 1)), 1e-30)
    return shifts, np.asarray(np.clip(sharp / scale, 0, 1), np.float32)


def _between(values: Image, weight: Image, shape: tuple[int, ...], step_px: int) -> Image:
    """Values on the grid of patches, averaged by weight with their neighbours, on every pixel."""
    near, wide = (ndimage.gaussian_filter(np.stack([values * weight, weight]), (0, s, s)) for s in (NEAR, WIDE))
    spare = np.float32(0.05 * weight.max() + 1e-30)  # where the near ones tell nothing, those farther away do
    smooth = (near[0] + spare * wide[0] / (wide[1] + 0.01 * spare)) / (near[1] + spare)
    starts = [min(step_px // 2, n // 2) for n in shape]
    grid = np.meshgrid(*[(np.arange(n) - s) / step_px for n, s in zip(shape, starts, strict=True)], indexing="ij")
    return np.asarray(ndimage.map_coordinates(smooth, grid, order=1, mode="nearest"), np.float32)


def _matched(frame: Image, reference: Image) -> Image:
    """The frame with the reference's mean and contrast."""
    gain = float(reference.std()) / max(float(frame.std()), 1e-30)
    return np.asarray((frame - frame.mean()) * min(gain, 2.0) + reference.mean(), np.float32)


def fills_field(picture: Image) -> bool:
    """Is there target all over a picture (y, x), as of Moon and Sun? At its border there is as much light as elsewhere."""
    dark = float(np.percentile(picture, 1))
    inside = float(picture.mean()) - dark
    return inside > 0 and border_level(picture) - dark > MIN_BORDER * inside


def detail(picture: Image) -> float:
    """How sharp a picture (y, x) is: power of its structure of a few pixels, over its mean light squared."""
    fine = ndimage.gaussian_filter(picture, 1.0) - ndimage.gaussian_filter(picture, 3.0)
    level = max(float(picture.mean()), 1e-30)
    return float(np.mean(fine**2, dtype=np.float64)) / level**2
