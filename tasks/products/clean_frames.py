"""Frames as every later step wants them: calibrated, bad pixels and cosmic rays filled, read in blocks."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.product import Product
from tasks.numerics.frames.defects import clean
from tasks.products.frames import FrameStack
from tasks.running.step import Work


@dataclass(frozen=True)
class Prepared:
    """Lazy clean frames; whoever reads holds the products open in a `with`."""

    stack: FrameStack
    bad: NDArray[np.bool_]
    """(channel, y, x) pixels that no frame can be believed in."""
    noise: NDArray[np.float32]
    """(frame, channel) variance per pixel."""

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames start..stop, cleaned."""
        return clean(self.stack.read(start, stop), self.bad, np.sqrt(self.noise[start:stop]))

    def take(self, frames: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The named frames, cleaned."""
        index = np.asarray(frames, np.int64)
        return clean(self.stack.take(index), self.bad, np.sqrt(self.noise[index]))

    def blocks(self, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """All frames in blocks: (number of the first, frames)."""
        for start in range(0, self.stack.shape[0], size):
            yield start, self.read(start, min(start + size, self.stack.shape[0]))


@contextlib.contextmanager
def prepared(work: Work, frames: Product, mean: Product) -> Iterator[Prepared]:
    """Lend the frames of an ingest product, cleaned with what the average product found."""
    with work.frames(frames) as stack, work.open(mean) as file:
        yield Prepared(stack, file["bad"][:], file["noise"][:])
