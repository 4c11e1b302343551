"""The shift-average, and what each registered frame is worth beside it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import canvas_size, window
from tasks.numerics.fourier.shifts import covered, shift_frames
from tasks.numerics.frames.quality import coherent_sharpness, residual_outlier_score

Image = NDArray[np.float32]
Numbers = NDArray[np.int64]
Blocks = Iterable[tuple[Numbers, Image]]
"""Frames in blocks: their numbers (frame,), and the frames (frame, channel, y, x)."""


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
    total, weight = np.zeros((1, 1, 1)), np.zeros((1, 1))
    for numbers, frames in blocks:
        size, back = (frames.shape[-2], frames.shape[-1]), -shifts[numbers]
        cover = covered(size, back)
        total = total + (shift_frames(frames, back) * cover[:, None]).sum(0)
        weight = weight + cover.sum(0)
    mean = total / np.maximum(weight, 1)
    return np.where(weight > 0, mean, np.median(mean, axis=(-2, -1), keepdims=True)).astype(np.float32)


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
    """Frames that are held out: at random, because neighbours in time are alike; at least one, never more than half."""
    count = min(max(1, round(share * len(usable))), len(usable) // 2)
    return np.sort(np.random.default_rng(seed).permutation(usable)[:count])
