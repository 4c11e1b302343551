"""Frames as every later step wants them, as calibrate left them: linear light, read in blocks."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from storage.product import Product
from tasks.numerics.fourier.canvas import Box
from tasks.numerics.fourier.sampling import Sampling
from tasks.numerics.frames.compact import expanded
from tasks.numerics.frames.mosaic import luma
from tasks.products.colours import Colours, colours_of
from tasks.products.contents import Clean
from tasks.products.frames import frames_within
from tasks.products.read_ahead import read_ahead
from tasks.running.step import Work


@dataclass(frozen=True)
class CleanFrames:
    """Lazy clean frames; the product stays open in a `with` while they are read."""

    content: Clean
    colours: Colours
    """The colours of the capture."""
    level: NDArray[np.float32]
    """(frame, channel) light of code 0."""
    step_size: NDArray[np.float32]
    """(frame, channel) light of one code."""
    noise: NDArray[np.float32]
    """(frame, channel) variance per pixel, a channel for each colour."""
    beyond: NDArray[np.float32] | None = None
    """(channel, y, x) what stands outside the window that calibrate kept; None: frames end where the window ends."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels of the raw frames, rows, columns."""
        n, c, y, x = self.content.codes.shape
        return (n, c, y, x) if self.beyond is None else (n, c, *self.beyond.shape[1:])

    @property
    def inside(self) -> "CleanFrames":
        """The frames inside the window that calibrate kept: all that changes, and less to read."""
        return replace(self, beyond=None)

    @property
    def window(self) -> Box:
        """Rows and columns that calibrate kept."""
        return box_of(self.content.window)

    @property
    def samplings(self) -> list[Sampling]:
        """The pixels of each colour."""
        return self.samplings_at(1)

    def samplings_at(self, scale: int) -> list[Sampling]:
        """The pixels of each colour on a grid of `scale` times as many pixels along both axes."""
        return [colour.sampling.finer(scale) for colour in self.colours.each]

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Why each frame is not used, as ingest found it."""
        return self.content.flags[:]

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames start..stop."""
        light = expanded(self.content.codes[start:stop], self.level[start:stop], self.step_size[start:stop])
        if self.beyond is None:
            return light
        out = np.repeat(self.beyond[None], len(light), axis=0)
        out[:, :, *self.window] = light
        return out

    def take(self, frames: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The named frames in the named order."""
        return self._taken(frames, slice(None), self.shape[1:])

    def light(self, frames: Sequence[int] | NDArray[np.int64], channel: int) -> NDArray[np.float32]:
        """The named frames (frame, y, x) of one colour; of a mosaic only its own pixels count."""
        return self._taken(frames, self.colours[channel].plane, self.shape[2:])

    def _taken(
        self, frames: Sequence[int] | NDArray[np.int64], planes: int | slice, shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Planes of the named frames, neighbours together: fancy indexing of chunked data is twenty times slower."""
        chosen = np.asarray(frames, np.int64)
        out = np.empty((len(chosen), *shape), np.float32)
        start = 0
        for run in np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1):
            if len(run):
                out[start : start + len(run)] = self.read(int(run[0]), int(run[-1]) + 1)[:, planes]
            start += len(run)
        return out

    def alone(self, frames: NDArray[np.int64], channel: int, level: float) -> NDArray[np.float32]:
        """The same, of a mosaic above a level and zero where the colour has no pixel."""
        light, sampling = self.light(frames, channel), self.colours[channel].sampling
        return light if sampling.is_full else (light - np.float32(level)) * sampling.mask(*light.shape[-2:])

    def few(self, size: int) -> int:
        """So many frames at a time, or fewer where they are large: a block's memory has a limit whatever the frame's size."""
        return frames_within(self.shape[1:], size)

    def chosen_lumas(
        self, chosen: NDArray[np.int64], size: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The named frames in blocks without a mosaic's colour pattern: (their numbers, frames)."""
        for numbers, block in self.chosen_blocks(chosen, size):
            yield numbers, luma(block, self.colours.period)

    def chosen_blocks(
        self, chosen: NDArray[np.int64], size: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The named frames in blocks: (their numbers, frames)."""
        size = self.few(size)
        parts = (chosen[start : start + size] for start in range(0, len(chosen), size))
        return read_ahead((part, self.take(part)) for part in parts)


def clean_frames(content: Clean) -> CleanFrames:
    """The frames of an open calibrate product."""
    colours = colours_of(content.codes.shape[1], content.mosaic)
    beyond = None if content.beyond is None else content.beyond[:]
    return CleanFrames(content, colours, content.level[:], content.step_size[:], content.noise[:], beyond)


def box_of(window: Sequence[int], scale: int = 1) -> Box:
    """Rows and columns of a window as products note it, in pixels narrower by a factor."""
    top, bottom, left, right = (number * scale for number in window)
    return slice(top, bottom), slice(left, right)


@contextlib.contextmanager
def open_clean_frames(work: Work, frames: Product) -> Iterator[CleanFrames]:
    """Lend the clean frames of a capture."""
    with work.open(Clean, frames) as content:
        yield clean_frames(content)
