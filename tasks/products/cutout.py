"""The part of the frame that is solved, on the solver's canvas: registered, flux-matched, tapered; and the way back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

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
from tasks.numerics.fourier.sampling import Sampling
from tasks.numerics.fourier.shifts import covered, move_whole, split
from tasks.numerics.frames.mosaic import on_finer_grid
from tasks.numerics.frames.noise_curve import whitened, whitener
from tasks.numerics.sky.wiener import corner_noise
from tasks.products.clean_frames import CleanFrames, box_of
from tasks.products.colours import colours_of
from tasks.products.contents import Stack

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Cutout:
    """The canvas of one channel and what the frames have in common on it."""

    channel: int
    box: Box
    """The part of the frame that is solved."""
    full_stack: Image
    """(y, x) the shift-average of the whole frame."""
    stack: Image
    """(y, x) the same inside the box."""
    border: float
    """Light at the stack's border, to which the taper falls."""
    background: float
    """Sky background: the stack's first percentile."""
    taper: Image
    """(size, size) one inside the frame, zero beyond."""
    shifts: Image
    """(frame, 2) dy, dx px."""
    gains: Image
    """(frame,) light of each frame relative to the stack: clouds."""
    usable: NDArray[np.bool_]
    """(frame,) frames that nothing speaks against."""
    in_box: Sampling
    """The colour's pixels, seen from the box's first one."""
    window: Box | None = None
    """The part of the frame that calibrate kept; None: all of it."""
    scale: int = 1
    """Pixels of the stack for one of the camera's, along each axis."""
    noise_curve: NDArray[np.float64] | None = None
    """(frequency,) noise variance per pixel; None where it is white."""
    least_noise: float = 0.0
    """Variance per pixel that the rounding to codes leaves, seen by the noise's measurement or not."""

    @property
    def size(self) -> int:
        """Side of the canvas, px."""
        return len(self.taper)

    @property
    def sampling(self) -> Sampling:
        """The colour's pixels on the canvas."""
        rows, columns = centred(self.stack.shape, self.size)
        return self.in_box.moved(rows.start, columns.start)

    def flux_matched(self, clean: CleanFrames, chosen: NDArray[np.int64]) -> tuple[Image, NDArray[np.int64]]:
        """The chosen frames (frame, y, x) of equal light, and by how many whole pixels (frame, 2) they are off the box.

        A mosaic is only moved by whole periods; what is not the colour's own pixel is left as it comes.
        """
        light = on_finer_grid(clean.inside.light(chosen, self.channel), self.scale)
        light = np.asarray((light - self.background) / self.gains[chosen, None, None] + self.background, np.float32)
        if self.stack.shape == self.full_stack.shape:
            return light, self.whole_shifts(chosen)
        whole, _ = split(self.shifts[chosen], self.in_box.period)
        inside = within(self.box, self.window)
        stack = self.full_stack if self.window is None else self.full_stack[self.window]
        return registered(light, whole, stack)[:, *inside], self.whole_shifts(chosen)

    def whole_shifts(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """By how many whole pixels (frame, 2) the frames of `flux_matched` are off the box: none where they are cut to it."""
        whole, _ = split(self.shifts[chosen], self.in_box.period)
        return whole if self.stack.shape == self.full_stack.shape else np.zeros_like(whole)

    def frames(self, clean: CleanFrames, chosen: Sequence[int] | NDArray[np.int64]) -> Image:
        """The chosen frames (frame, size, size), moved by whole pixels; the rest of a shift is left to tip and tilt.

        Zero where the colour has no pixel. Their noise is white.
        """
        light, whole = self.flux_matched(clean, np.asarray(chosen, np.int64))
        light = registered(light, whole, self.stack)
        return self._whitened(to_canvas(light, self.border, self.taper * self.canvas_mask()))

    def canvas_mask(self) -> Image:
        """(size, size) one on the colour's pixels."""
        return self.sampling.mask(self.size, self.size)

    def to_canvas(self, picture: Image) -> Image:
        """A picture (y, x) of the box on the canvas (size, size), filtered as the frames are."""
        return self._whitened(to_canvas(picture[None], self.border, self.taper))[0]

    def filter(self, size: int) -> Image | None:
        """What makes the noise white: a filter (y, x//2+1) of a canvas of `size`; None where it is white already."""
        return None if self.noise_curve is None else whitener(self.noise_curve, (size, size), self.scale)

    def _whitened(self, frames: Image) -> Image:
        white, size = self.filter(self.size), (self.size, self.size)
        return frames if white is None else np.fft.irfft2(np.fft.rfft2(frames) * white, s=size).astype(np.float32)

    def alone(self, clean: CleanFrames, chosen: NDArray[np.int64]) -> Image:
        """The chosen frames (frame, y, x) as they were taken, on the camera's grid, all that was kept, with white noise."""
        light = clean.inside.alone(chosen, self.channel, self.border)
        return light if self.noise_curve is None else whitened(light, self.noise_curve)

    def noise_of(self, spectra: Tensor, cutoff: float) -> float:
        """Noise power per coefficient of the frames' spectra: from the curve, or from beyond the cut-off (cycles/px)."""
        area = float((self.taper.astype(np.float64) ** 2).sum())
        if self.noise_curve is None:
            return max(corner_noise(spectra, cutoff, sampling=self.sampling), self.least_noise * area)
        return float(self.noise_curve.min() * area)

    def inside(self) -> Image:
        """The taper (y, x) on the frame's own grid."""
        return self.taper[centred(self.stack.shape, self.size)]

    def from_canvas(self, sky: Image) -> Image:
        """A sky (size, size) solved on the canvas, on the box's grid (y, x), in camera units."""
        return from_canvas(sky, self.stack, self.border, self.taper)

    def in_frame(self, sky: Image) -> Image:
        """A sky (y, x) of the box in the whole frame: outside there is only dark sky, and the stack shows it."""
        out = self.full_stack.copy()
        out[self.box] = sky
        return out


def registered(frames: Image, whole: NDArray[np.int64], stack: Image) -> Image:
    """Frames (frame, y, x) moved back by whole pixels; the stack stands where a frame that drifted shows nothing."""
    shown = covered(stack.shape, -whole.astype(np.float32))
    return np.where(shown, move_whole(frames[:, None], -whole)[:, 0], stack)


def within(box: Box, window: Box | None) -> Box:
    """A part of the frame, counted from a window's first row and column."""
    if window is None:
        return box
    rows, columns = (slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, window, strict=True))
    return rows, columns


def _kept(box: Box, window: Box) -> Box:
    """What of a part of the frame lies in a window."""
    rows, columns = (slice(max(s.start, w.start), min(s.stop, w.stop)) for s, w in zip(box, window, strict=True))
    return rows, columns


def cutout_of(stack: Stack, channel: int) -> Cutout:
    """The cutout of a channel, from the open shift_average product."""
    full = stack.stack[channel]
    kept = (slice(0, full.shape[0]), slice(0, full.shape[1]))
    if stack.window is not None:
        kept = box_of(stack.window, stack.scale)
    box = _kept(target_box(stack.stack[:].mean(axis=0)), kept)
    inside = full[box]
    sampling = colours_of(len(stack.stack), stack.mosaic)[channel].sampling.finer(stack.scale)
    size = canvas_size(inside.shape[0], inside.shape[1], sampling.period)
    return Cutout(
        channel,
        box,
        full,
        inside,
        border_level(inside),
        float(np.percentile(inside, 1)),
        window(inside.shape[0], inside.shape[1], size),
        stack.shifts[:],
        stack.gains[:, channel],
        stack.flags[:] == 0,
        sampling.moved(-box[0].start, -box[1].start),
        kept,
        stack.scale,
        _noise_curve(stack, channel),
        0.0 if stack.rounding_noise is None else float(stack.rounding_noise[channel]),
    )


def _noise_curve(stack: Stack, channel: int) -> NDArray[np.float64] | None:
    curve = None if stack.noise_curve is None else stack.noise_curve[channel]
    return None if curve is None or not np.isfinite(curve).all() else curve
