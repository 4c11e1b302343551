"""The shift-average, and what each registered frame is worth beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import canvas_size, window
from tasks.numerics.fourier.sampling import Sampling
from tasks.numerics.fourier.shifts import covered, shift_frames
from tasks.numerics.frames.defects import fill
from tasks.numerics.frames.quality import coherent_sharpness, residual_outlier_score

Image = NDArray[np.float32]
Numbers = NDArray[np.int64]
Blocks = Iterable[tuple[Numbers, Image]]
"""Frames in blocks: their numbers (frame,), and the frames (frame, channel, y, x)."""

MIN_JUDGES = 5
"""Held-out frames, where there are enough frames."""
MIN_WEIGHT = 0.02
"""A pixel of a mosaic's stack with less of a sample than this is filled from its neighbours."""


@dataclass(frozen=True)
class FrameScores:
    """What each frame is worth; frames that were not looked at have sharpness and score 0 and gain 1."""

    sharpness: Image
    """(frame,) fine over coarse power in common with the other frames."""
    residual_outlier_score: Image
    """(frame,) largest smoothed residual over the stack's contrast: streaks stand out."""
    gains: Image
    """(frame, channel) light relative to the stack."""


def shift_average(blocks: Blocks, shifts: Image) -> Image:
    """Mean (channel, y, x) of frames moved by -shifts (frame, 2); each pixel over the frames that cover it.

    Pixels that no frame covers get the median, which nobody mistakes for detail.
    """
    return shifted_sum(blocks, shifts).mean()


@dataclass(frozen=True)
class ShiftedSum:
    """Sum of registered frames; the difference of two is the sum of the frames that only the first has."""

    light: NDArray[np.float64]
    """(channel, y, x)."""
    weight: NDArray[np.float64]
    """(y, x) how many frames cover each pixel."""

    def __sub__(self, other: "ShiftedSum") -> "ShiftedSum":
        return ShiftedSum(self.light - other.light, self.weight - other.weight)

    def mean(self) -> Image:
        """(channel, y, x) over the frames that cover each pixel; the median where none does."""
        mean = np.where(self.weight > 0, self.light, 0) / np.maximum(self.weight, 1)
        return np.where(self.weight > 0, mean, np.median(mean, axis=(-2, -1), keepdims=True)).astype(np.float32)


def shifted_sum(blocks: Blocks, shifts: Image) -> ShiftedSum:
    """Sum of frames moved by -shifts (frame, 2)."""
    light, weight = np.zeros((1, 1, 1)), np.zeros((1, 1))
    for numbers, frames in blocks:
        size, back = (frames.shape[-2], frames.shape[-1]), -shifts[numbers]
        cover = covered(size, back)
        light = light + (shift_frames(frames, back) * cover[:, None]).sum(0)
        weight = weight + cover.sum(0)
    return ShiftedSum(light, weight)


def average_colours(blocks: Blocks, shifts: Image, samplings: Sequence[Sampling]) -> Image:
    """Mean (colour, y, x) of registered frames: `shift_average` of whole frames, or each colour's own samples, drizzled.

    Frames have a channel for each colour, or one that all share.
    """
    if all(sampling.is_full for sampling in samplings):
        return shift_average(blocks, shifts)
    light, weight = np.zeros((1, 1, 1)), np.zeros((1, 1, 1))
    for numbers, frames in blocks:
        masks = np.stack([sampling.mask(*frames.shape[-2:]) for sampling in samplings])
        for number, frame in zip(numbers, frames, strict=True):
            light = light + _dropped(frame * masks, -shifts[number])
            weight = weight + _dropped(masks, -shifts[number])
    return np.stack([_divided(*each) for each in zip(light, weight, strict=True)])


def one_registered(frame: Image, shift: Image, samplings: Sequence[Sampling]) -> Image:
    """One frame (channel, y, x) moved by -shift as (colour, y, x); what its samples do not show is filled."""
    if all(sampling.is_full for sampling in samplings):
        return shift_frames(frame[None], -shift[None])[0]
    return average_colours([(np.zeros(1, np.int64), frame[None])], shift[None], samplings)


def _dropped(planes: Image, move: Image) -> NDArray[np.float64]:
    """Planes (colour, y, x) whose pixels are moved and shared out among the four pixels around where they come to lie."""
    ny, nx = planes.shape[-2:]
    whole = np.floor(move).astype(int)
    fy, fx = move - whole
    out = np.zeros(planes.shape)
    for dy, dx, share in ((0, 0, (1 - fy) * (1 - fx)), (0, 1, (1 - fy) * fx), (1, 0, fy * (1 - fx)), (1, 1, fy * fx)):
        y, x = int(whole[0]) + dy, int(whole[1]) + dx
        to = slice(max(0, y), max(0, ny + min(0, y))), slice(max(0, x), max(0, nx + min(0, x)))
        of = slice(max(0, -y), max(0, ny - max(0, y))), slice(max(0, -x), max(0, nx - max(0, x)))
        out[:, *to] += share * planes[:, *of]
    return out


def _divided(light: NDArray[np.float64], weight: NDArray[np.float64]) -> Image:
    """Light over weight; pixels that hardly a sample reached take the mean of their neighbours."""
    known = weight > MIN_WEIGHT
    return fill((light / np.maximum(weight, MIN_WEIGHT)).astype(np.float32)[None], ~known)[0]


def score_frames(blocks: Blocks, shifts: Image, stack: Image, cutoff: float) -> FrameScores:
    """Scores of the frames in `blocks` against their shift-average `stack` (channel, y, x)."""
    count = int(np.isfinite(shifts[:, 0]).sum())
    sharp, outlier = np.zeros(len(shifts), np.float32), np.zeros(len(shifts), np.float32)
    gains = np.ones((len(shifts), len(stack)), np.float32)
    for numbers, frames in blocks:
        moved = shift_frames(frames, -shifts[numbers])
        sharp[numbers] = coherent_sharpness(moved, stack, count, cutoff)
        outlier[numbers] = residual_outlier_score(moved, stack)
        gains[numbers] = relative_light(moved, stack)
    return FrameScores(sharp, outlier, gains)


def relative_light(registered: Image, stack: Image) -> Image:
    """Light (frame, channel) of frames relative to the stack, above the stack's dark level, away from the border."""
    dark = np.percentile(stack, 1, axis=(-2, -1), keepdims=True)
    taper = window(stack.shape[1], stack.shape[2], canvas_size(stack.shape[1], stack.shape[2]))
    inside = taper[taper.any(axis=1)][:, taper.any(axis=0)]
    light = ((registered - dark) * inside).sum((-2, -1)) / ((stack - dark) * inside).sum((-2, -1))
    return np.asarray(np.clip(light, 0.1, 10), np.float32)


def draw_heldout(usable: Numbers, share: float, seed: int) -> Numbers:
    """Frames that are held out: at random, because neighbours in time are alike; at least one, never more than half.

    MIN_JUDGES of them at least, where they are no more than a third: fewer do not show their own scatter.
    """
    count = min(max(1, round(share * len(usable)), min(MIN_JUDGES, len(usable) // 3)), len(usable) // 2)
    return np.sort(np.random.default_rng(seed).permutation(usable)[:count])
