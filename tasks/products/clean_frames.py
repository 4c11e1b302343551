"""Frames as every later step wants them: calibrated, bad pixels and cosmic rays filled, read in blocks."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.product import Product
from tasks.numerics.fourier.sampling import Sampling
from tasks.numerics.frames.defects import clean
from tasks.numerics.frames.mosaic import join_sites, luma, split_sites
from tasks.products.colours import Colours, colours_of
from tasks.products.contents import Frames, Mean
from tasks.products.frames import CalibratedFrames
from tasks.running.step import Work


@dataclass(frozen=True)
class CleanFrames:
    """Lazy clean frames; the products stay open in a `with` while they are read."""

    frames: CalibratedFrames
    colours: Colours
    """The colours of the capture."""
    bad: NDArray[np.bool_]
    """(channel, y, x) pixels that no frame can be trusted in."""
    noise: NDArray[np.float32]
    """(frame, channel) variance per pixel, a channel for each colour."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels of the raw frames, rows, columns."""
        return self.frames.shape

    @property
    def samplings(self) -> list[Sampling]:
        """The pixels of each colour."""
        return [colour.sampling for colour in self.colours.each]

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Why each frame is not used, as ingest found it."""
        return self.frames.flags

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames start..stop, cleaned."""
        return self._cleaned(self.frames.read(start, stop), self.noise[start:stop])

    def take(self, frames: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The named frames, cleaned."""
        index = np.asarray(frames, np.int64)
        return self._cleaned(self.frames.take(index), self.noise[index])

    def light(self, frames: Sequence[int] | NDArray[np.int64], channel: int) -> NDArray[np.float32]:
        """The named frames (frame, y, x) of one colour, cleaned; of a mosaic only its own pixels count."""
        return self.take(frames)[:, self.colours[channel].plane]

    def alone(self, frames: NDArray[np.int64], channel: int, level: float) -> NDArray[np.float32]:
        """The same, of a mosaic above a level and zero where the colour has no pixel."""
        light, sampling = self.light(frames, channel), self.colours[channel].sampling
        return light if sampling.is_full else (light - np.float32(level)) * sampling.mask(*light.shape[-2:])

    def _cleaned(self, light: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
        """Defects and spikes filled from pixels of the same colour."""
        period = self.colours.period
        sigma = np.zeros((len(light), sum(map(len, self.colours.sites))), np.float32)
        for channel, own in enumerate(self.colours.sites):
            sigma[:, own] = np.sqrt(noise[:, channel, None])
        filled = clean(split_sites(light, period), split_sites(self.bad, period), sigma)
        return join_sites(filled, period, (light.shape[-2], light.shape[-1]))

    def blocks(self, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """All frames in blocks: (number of the first, frames)."""
        for start in range(0, self.shape[0], size):
            yield start, self.read(start, min(start + size, self.shape[0]))

    def lumas(self, size: int) -> Iterator[NDArray[np.float32]]:
        """All frames in blocks (frame, channel, y, x) without a mosaic's colour pattern: what registration looks at."""
        for _, block in self.blocks(size):
            yield luma(block, self.colours.period)

    def chosen_lumas(
        self, chosen: NDArray[np.int64], size: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The named frames in such blocks: (their numbers, frames)."""
        for numbers, block in self.chosen_blocks(chosen, size):
            yield numbers, luma(block, self.colours.period)

    def chosen_blocks(
        self, chosen: NDArray[np.int64], size: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The named frames in blocks: (their numbers, frames)."""
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            yield part, self.take(part)


def clean_frames(frames: Frames, mean: Mean) -> CleanFrames:
    """The frames of an open ingest product, cleaned with what the open average product found."""
    calibrated = CalibratedFrames(frames)
    return CleanFrames(calibrated, colours_of(calibrated.shape[1], frames.mosaic), mean.bad[:], mean.noise[:])


@contextlib.contextmanager
def open_clean_frames(work: Work, frames: Product, mean: Product) -> Iterator[CleanFrames]:
    """Lend the clean frames of a capture."""
    with work.open(Frames, frames) as raw, work.open(Mean, mean) as found:
        yield clean_frames(raw, found)
