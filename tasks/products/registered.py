"""Frames registered and of equal light, as pictures to look at."""

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.frames.stacking import one_registered
from tasks.products.clean_frames import CleanFrames
from tasks.products.contents import Stack

Image = NDArray[np.float32]


def registered_frame(clean: CleanFrames, stack: Stack, number: int) -> Image:
    """One frame (channel, y, x) where the stack has its target, and as bright."""
    moved = one_registered(clean.take([number])[0], stack.shifts[number], clean.samplings)
    dark = np.percentile(stack.stack[:], 1, axis=(-2, -1), keepdims=True)
    return np.asarray((moved - dark) / stack.gains[number][:, None, None] + dark, np.float32)


def registered_frames(clean: CleanFrames, stack: Stack, numbers: NDArray[np.int64]) -> Image:
    """Frames (frame, channel, y, x)."""
    return np.stack([registered_frame(clean, stack, int(number)) for number in numbers])


def around_the_sharpest(stack: Stack, most: int) -> NDArray[np.int64]:
    """Usable frames in time, at most so many, around the sharpest one."""
    usable = np.flatnonzero(stack.flags[:] == 0)
    best = int(np.searchsorted(usable, stack.order[0]))
    start = int(np.clip(best - most // 2, 0, max(0, len(usable) - most)))
    return np.asarray(usable[start : start + most], np.int64)
