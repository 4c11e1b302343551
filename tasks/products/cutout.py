"""One channel's frames on the solver's canvas: in place, of equal light, tapered; and a sky's way back to the frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import (
    Box,
    border_level,
    canvas_size,
    centred,
    from_canvas,
    target_box,
    to_canvas,
    window,
)
from tasks.numerics.fourier.shifts import covered, move_whole, split
from tasks.products.clean_frames import Prepared

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Field:
    """The canvas of one channel and what the frames have in common on it."""

    channel: int
    box: Box
    """The part of the frame that is solved."""
    full: Image
    """(y, x) the shift-average of the whole frame."""
    stack: Image
    """(y, x) the same inside the box."""
    level: float
    """Light at the stack's border, to which the taper falls."""
    dark: float
    """Sky background: the stack's first percentile."""
    taper: Image
    """(size, size) one inside the frame, zero beyond."""
    shifts: Image
    """(frame, 2) dy, dx px."""
    gains: Image
    """(frame,) light of each frame relative to the stack: clouds."""

    @property
    def size(self) -> int:
        """Side of the canvas, px."""
        return len(self.taper)

    def even(self, clean: Prepared, chosen: NDArray[np.int64]) -> tuple[Image, NDArray[np.int64]]:
        """The chosen frames (frame, y, x) of equal light, and by how many whole pixels (frame, 2) they are off the box."""
        whole, _ = split(self.shifts[chosen])
        light = clean.take(chosen)[:, self.channel]
        light = np.asarray((light - self.dark) / self.gains[chosen, None, None] + self.dark, np.float32)
        if self.stack.shape == self.full.shape:
            return light, whole
        return in_place(light, whole, self.full)[:, *self.box], np.zeros_like(whole)

    def frames(self, clean: Prepared, chosen: Sequence[int] | NDArray[np.int64]) -> Image:
        """The chosen frames (frame, size, size), moved by whole pixels; the rest of a shift is left to tip and tilt."""
        light, whole = self.even(clean, np.asarray(chosen, np.int64))
        return to_canvas(in_place(light, whole, self.stack), self.level, self.taper)

    def laid(self, picture: Image) -> Image:
        """A picture (y, x) of the box on the canvas (size, size)."""
        return to_canvas(picture[None], self.level, self.taper)[0]

    def inside(self) -> Image:
        """The taper (y, x) on the frame's own grid."""
        return self.taper[centred((self.stack.shape[0], self.stack.shape[1]), self.size)]

    def back(self, sky: Image) -> Image:
        """A sky (size, size) solved on the canvas, on the frame's grid (y, x), in camera units."""
        return from_canvas(sky, self.stack, self.level, self.taper)

    def embedded(self, sky: Image) -> Image:
        """A sky (y, x) of the box in the whole frame: outside there is only dark sky, and the stack shows it."""
        out = self.full.copy()
        out[self.box] = sky
        return out


def in_place(frames: Image, whole: NDArray[np.int64], stack: Image) -> Image:
    """Frames (frame, y, x) moved back by whole pixels; the stack stands where a frame that drifted shows nothing."""
    seen = covered(stack.shape, -whole.astype(np.float32))
    return np.where(seen, move_whole(frames[:, None], -whole)[:, 0], stack)


def field_of(first: Any, channel: int) -> Field:
    """The field of a channel, from the open shift_average product."""
    full = first["stack"][channel]
    box = target_box(first["stack"][:].mean(axis=0))
    stack = full[box]
    size = canvas_size(*stack.shape)
    return Field(
        channel,
        box,
        full,
        stack,
        border_level(stack),
        float(np.percentile(stack, 1)),
        window(stack.shape[0], stack.shape[1], size),
        first["shifts"][:],
        first["gains"][:, channel],
    )
