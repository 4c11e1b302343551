"""Frames as every later step wants them: calibrated, bad pixels and cosmic rays filled, read in blocks."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.product import Product
from tasks.numerics.frames.defects import clean
from tasks.products.contents import Frames, Mean
from tasks.products.frames import CalibratedFrames
from tasks.running.step import Work


@dataclass(frozen=True)
class CleanFrames:
    """Lazy clean frames; the products stay open in a `with` while they are read."""

    frames: CalibratedFrames
    bad: NDArray[np.bool_]
    """(channel, y, x) pixels that no frame can be trusted in."""
    noise: NDArray[np.float32]
    """(frame, channel) variance per pixel."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, rows, columns."""
        return self.frames.shape

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Why each frame is not used, as ingest found it."""
        return self.frames.flags

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames start..stop, cleaned."""
        return clean(self.frames.read(start, stop), self.bad, np.sqrt(self.noise[start:stop]))

    def take(self, frames: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The named frames, cleaned."""
        index = np.asarray(frames, np.int64)
        return clean(self.frames.take(index), self.bad, np.sqrt(self.noise[index]))

    def blocks(self, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """All frames in blocks: (number of the first, frames)."""
        for start in range(0, self.shape[0], size):
            yield start, self.read(start, min(start + size, self.shape[0]))

    def chosen_blocks(
        self, chosen: NDArray[np.int64], size: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The named frames in blocks: (their numbers, frames)."""
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            yield part, self.take(part)


def clean_frames(frames: Frames, mean: Mean) -> CleanFrames:
    """The frames of an open ingest product, cleaned with what the open average product found."""
    return CleanFrames(CalibratedFrames(frames), mean.bad[:], mean.noise[:])


@contextlib.contextmanager
def open_clean_frames(work: Work, frames: Product, mean: Product) -> Iterator[CleanFrames]:
    """Lend the clean frames of a capture."""
    with work.open(Frames, frames) as raw, work.open(Mean, mean) as found:
        yield clean_frames(raw, found)
