"""One channel's frames on the solver's canvas: in place, of equal light, tapered; and a sky's way back to the frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.canvas import border_level, canvas_size, lay, lift, window
from tasks.numerics.shifting import move_whole, split
from tasks.prepared import Prepared

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Field:
    """The canvas of one channel and what the frames have in common on it."""

    channel: int
    stack: Image
    """(y, x) the shift-average."""
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

    def frames(self, clean: Prepared, chosen: Sequence[int] | NDArray[np.int64]) -> Image:
        """The chosen frames (frame, size, size), moved by whole pixels; the rest of a shift is left to tip and tilt."""
        index = np.asarray(chosen, np.int64)
        whole, _ = split(self.shifts[index])
        light = move_whole(clean.take(index)[:, self.channel : self.channel + 1], -whole)[:, 0]
        even = (light - self.dark) / self.gains[index, None, None] + self.dark
        return lay(even.astype(np.float32), self.level, self.taper)

    def laid_stack(self) -> Image:
        """The stack (size, size) on the canvas."""
        return lay(self.stack[None], self.level, self.taper)[0]

    def back(self, sky: Image) -> Image:
        """A sky (size, size) solved on the canvas, on the frame's grid (y, x), in camera units."""
        return lift(sky, self.stack, self.level, self.taper)


def field_of(first: Any, channel: int) -> Field:
    """The field of a channel, from the open shift_average product."""
    stack = first["stack"][channel]
    size = canvas_size(*stack.shape)
    return Field(
        channel,
        stack,
        border_level(stack),
        float(np.percentile(stack, 1)),
        window(stack.shape[0], stack.shape[1], size),
        first["shifts"][:],
        first["gains"][:, channel],
    )
