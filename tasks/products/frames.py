"""Frames too big for memory: codes as the camera wrote them on disk, linear calibrated float32 when they are read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.products.contents import Frames

FLAGS = ("black", "saturated", "duplicate", "unaligned", "streak")
"""Why a frame is not used; bit i of a frame's flags stands for FLAGS[i]."""
MIN_FLAT = 0.05
"""Where the flat saw less than this share of its median light, dividing would only raise noise."""

BLOCK_BYTES = 64e6
"""Most that a block of frames takes as float32; a step that works on it holds a few times as much."""


def frames_within(shape: tuple[int, ...], size: int) -> int:
    """How many frames (channel, y, x) to take at a time: `size`, or as many as a block may hold, at least one."""
    return int(np.clip(BLOCK_BYTES // (4 * np.prod(shape)), 1, size))


def flag(name: str) -> int:
    """The bit of a reason."""
    return 1 << FLAGS.index(name)


def reasons(flags: int) -> list[str]:
    """The names of a frame's flags."""
    return [name for i, name in enumerate(FLAGS) if flags >> i & 1]


@dataclass(frozen=True)
class CalibratedFrames:
    """Lazy calibrated frames (frame, channel, y, x) of an open ingest product."""

    content: Frames

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, rows, columns."""
        n, c, y, x = self.content.raw.shape
        return n, c, y, x

    @property
    def flags(self) -> NDArray[np.uint8]:
        """Why each frame is not used (0: it is)."""
        return self.content.flags[:]

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames start..stop, calibrated."""
        return self.calibrated(self.content.raw[start:stop])

    def blocks(self, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """All frames in blocks: (number of the first, frames)."""
        size = frames_within(self.shape[1:], size)
        for start in range(0, self.shape[0], size):
            yield start, self.read(start, min(start + size, self.shape[0]))

    def calibrated(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Response curve, dark and flat; where the flat is unusable the division is left out (the defect map covers it)."""
        content = self.content
        light = self._response[raw] if content.response is not None else raw
        light = light.astype(np.float32)
        if raw.dtype.kind == "f":
            np.nan_to_num(light, copy=False)
        if content.dark is not None:
            light -= self._dark
        if content.flat is not None:
            light *= self._gain
        return light

    @cached_property
    def _response(self) -> NDArray[np.float32]:
        assert self.content.response is not None
        return self.content.response[:]

    @cached_property
    def _dark(self) -> NDArray[np.float32]:
        assert self.content.dark is not None
        return self.content.dark[:]

    @cached_property
    def _gain(self) -> NDArray[np.float32]:
        """(channel, y, x) what divides by the flat, scaled to median one."""
        assert self.content.flat is not None
        flat = self.content.flat[:]
        level = np.median(flat, axis=(-2, -1), keepdims=True)
        gain = np.where(flat > MIN_FLAT * level, level / np.maximum(flat, MIN_FLAT * level), np.float32(1))
        return np.asarray(gain, np.float32)
