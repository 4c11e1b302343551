"""Missing pixels of a frame filled: with the reference, and a smooth surface through the difference to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

SMOOTH_PX = 1.0
"""Width over which the difference to the reference is averaged: it is smooth, and a biharmonic surface amplifies noise."""
KERNEL_PX, RIDGE = 7, 1e-4
"""Side of the kernel between reference and frame, and how stiff it is, as a fraction of the reference's power."""
KNOWN_PX = 20_000
"""Most pixels that the kernel is found from; with less than a tenth of them there is none."""
RIM_PX = 12
"""Pixels around a hole that the surface may look at: a biharmonic surface needs its rim, the rest only takes time."""


def filled_classically(frame: Image, mask: Mask, reference: Image | None = None) -> Image:
    """The frame (y, x) with the pixels of `mask` filled; outside the mask it is left bit by bit as it is.

    With a reference (the registered mean, moved onto the frame, as `matched_reference` gives it) the biharmonic surface only
    bridges the difference to it.
    """
    if not mask.any() or mask.all():
        return frame
    if reference is None:
        surface = _bridged(np.where(mask, np.float32(0), frame), mask)
    else:
        surface = reference + _bridged(_averaged(frame - reference, mask), mask)
    return np.where(mask, surface, frame).astype(np.float32)


def matched_reference(frame: Image, mask: Mask, reference: Image) -> Image:
    """The reference (y, x) through the small kernel that brings it nearest to the frame where the frame is known.

    After Alard and Lupton: the air of one frame differs from the mean air by a convolution, and by a level.
    """
    known = np.argwhere(~ndimage.binary_dilation(mask))
    if len(known) < KNOWN_PX // 10:
        return reference
    rows, columns = known[:: 1 + len(known) // KNOWN_PX].T
    padded = np.pad(reference, KERNEL_PX // 2, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL_PX, KERNEL_PX))[rows, columns]
    design = around.reshape(len(rows), -1)
    difference = (frame - reference)[rows, columns]
    level, offset = design.mean(axis=0), difference.mean()
    power = np.asarray((design - level).T @ (design - level), np.float64)
    stiff = RIDGE * np.trace(power) / len(power) + 1e-30
    kernel = np.linalg.solve(
        power + stiff * np.eye(len(power)), np.asarray((design - level).T @ (difference - offset), np.float64)
    ).astype(np.float32)
    change = ndimage.correlate(reference, kernel.reshape(KERNEL_PX, KERNEL_PX), mode="nearest")
    return np.asarray(reference + change + (offset - level @ kernel), np.float32)


def _averaged(difference: Image, mask: Mask) -> Image:
    """The difference with its noise averaged over neighbours that are not missing; zero in the holes."""
    known = (~mask).astype(np.float32)
    total, count = (ndimage.gaussian_filter(each, SMOOTH_PX) for each in (np.where(mask, 0, difference), known))
    return np.where(mask, 0, total / np.maximum(count, 1e-6)).astype(np.float32)


def _bridged(picture: Image, mask: Mask) -> Image:
    """A biharmonic surface over each group of holes, each in a window of its own; bounded by what is around it."""
    from skimage.restoration import inpaint_biharmonic

    out = picture.copy()
    groups, _ = ndimage.label(ndimage.binary_dilation(mask, iterations=3))
    for group in ndimage.find_objects(groups):
        box = tuple(slice(max(0, s.start - RIM_PX), s.stop + RIM_PX) for s in group)
        part, holes = picture[box], mask[box]
        known = part[~holes]
        if not known.size:
            continue
        span = float(np.ptp(known))
        if span == 0:
            out[box] = np.where(holes, known[0], part)
            continue
        surface = inpaint_biharmonic((part - known.min()) / span, holes) * span + known.min()
        out[box] = np.where(holes, np.clip(surface, known.min(), known.max()), out[box])
    return out
