"""Frames registered and of equal light, as pictures to look at."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from storage.product import Product
from tasks.numerics.frames.mosaic import on_finer_grid
from tasks.numerics.frames.stacking import one_registered
from tasks.products.clean_frames import CleanFrames
from tasks.products.contents import Stack
from tasks.products.finished_contents import Filled
from tasks.running.step import Work

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Registered:
    """Frames as the stack shows their target: on its place, and as bright; their missing pixels filled if they are given."""

    clean: CleanFrames
    stack: Stack
    filled: Filled | None = None

    @cached_property
    def dark(self) -> Image:
        """(channel, 1, 1) dark level of the stack."""
        return np.asarray(np.percentile(self.stack.stack[:], 1, axis=(-2, -1), keepdims=True))

    def frame(self, number: int) -> Image:
        """One frame (channel, y, x)."""
        moved = placed_frame(self.clean, self.stack, number, self.filled)
        return np.asarray((moved - self.dark) / self.stack.gains[number][:, None, None] + self.dark, np.float32)

    def frames(self, numbers: NDArray[np.int64]) -> Image:
        """Frames (frame, channel, y, x)."""
        return np.stack([self.frame(int(number)) for number in numbers])


def placed_frame(clean: CleanFrames, stack: Stack, number: int, filled: Filled | None = None) -> Image:
    """One frame (channel, y, x) where the stack has its target, on the stack's grid."""
    frame = on_finer_grid(whole_frame(clean, number, filled), stack.scale)
    return one_registered(frame, stack.shifts[number], clean.samplings_at(stack.scale))


def whole_frame(clean: CleanFrames, number: int, filled: Filled | None) -> Image:
    """One clean frame (channel, y, x) as it was taken, its missing pixels filled if they are given."""
    frame = clean.take([number])[0]
    if filled is not None:
        part = slice(int(filled.starts[number]), int(filled.starts[number + 1]))
        frame.reshape(-1)[filled.pixels[part]] = filled.values[part]
    return frame


def open_filled(work: Work, product: Product) -> AbstractContextManager[Filled | None]:
    """Lend the filled pixels of a capture; None where none were filled and another product was passed through."""
    return work.open(Filled, product) if product.step == Filled.step else nullcontext()


def around_the_sharpest(stack: Stack, most: int) -> NDArray[np.int64]:
    """Usable frames in time, at most so many, around the sharpest one."""
    usable = np.flatnonzero(stack.flags[:] == 0)
    best = int(np.searchsorted(usable, stack.order[0]))
    start = int(np.clip(best - most // 2, 0, max(0, len(usable) - most)))
    return np.asarray(usable[start : start + most], np.int64)
