"""The shift-average, and what each registered frame is worth beside it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.sampling import Sampling
from tasks.numerics.fourier.shifts import move_whole, shift_frames
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.defects import fill
from tasks.numerics.frames.quality import MeanOf, coherent_sharpness, residual_outlier_score

Image = NDArray[np.float32]
Numbers = NDArray[np.int64]
Blocks = Iterable[tuple[Numbers, Image]]
"""Frames in blocks: their numbers (frame,), and the frames (frame, channel, y, x)."""

PHASES = 8
"""Fractions of a pixel along each axis that `shifted_sum` tells apart."""
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
    """Sum of registered frames."""

    light: NDArray[np.float64]
    """(channel, y, x)."""
    weight: NDArray[np.float64]
    """(y, x) how many frames cover each pixel."""

    def __add__(self, other: "ShiftedSum") -> "ShiftedSum":
        return ShiftedSum(self.light + other.light, self.weight + other.weight)

    def mean(self) -> Image:
        """(channel, y, x) over the frames that cover each pixel; the median where none does."""
        mean = np.where(self.weight > 0, self.light, 0) / np.maximum(self.weight, 1)
        return np.where(self.weight > 0, mean, np.median(mean, axis=(-2, -1), keepdims=True)).astype(np.float32)


def by_phase(numbers: Numbers, shifts: Image) -> Numbers:
    """The same frames in the order in which `shifted_sum` is fast: shifts with about the same fraction of a pixel in a row."""
    return np.concatenate(phase_runs(numbers, shifts, PHASES))


def phase_runs(numbers: Numbers, shifts: Image, phases: int) -> list[Numbers]:
    """The same frames in runs whose shifts have about the same fraction of a pixel: one of `phases` along each axis."""
    phase = _phases(shifts[numbers], phases)
    order = np.argsort(phase, kind="stable")
    return np.split(numbers[order], np.flatnonzero(np.diff(phase[order])) + 1)


def fractions(shifts: Image) -> Image:
    """What is left of shifts (frame, 2) once frames have been moved by whole pixels."""
    return np.asarray(shifts - np.rint(shifts), np.float32)


def _phases(shifts: Image, phases: int) -> Numbers:
    """(frame,) which fraction of a pixel each shift has."""
    cell = np.floor((fractions(shifts) + 0.5) * phases).clip(0, phases - 1).astype(np.int64)
    return np.asarray(cell[:, 0] * phases + cell[:, 1], np.int64)


def shifted_sum(blocks: Blocks, shifts: Image) -> ShiftedSum:
    """Sum of frames moved by -shifts (frame, 2).

    Frames in a row whose shifts have about the same fraction of a pixel are moved by whole pixels, and their mean by
    the mean fraction, which takes one transform for all of them. What is left of a shift is 0.04 px rms along each axis.
    """
    light, weight = np.zeros((1, 1, 1)), np.zeros((1, 1))
    for alike in _alike(blocks, shifts):
        moved, cover = alike.mean()
        light = light + moved * cover
        weight = weight + cover
    return ShiftedSum(light, weight)


class _Alike:
    """Sum of frames in a row whose shifts have about the same fraction of a pixel."""

    def __init__(self, phase: int, frame: Image, shift: Image) -> None:
        self.phase = phase
        self._light = np.zeros_like(frame)
        self._cover = np.zeros(frame.shape[-2:], np.float32)
        self._fractions: list[Image] = []
        self._beyond = placed(frame[None], shift[None])[0]

    def add(self, frame: Image, shift: Image) -> None:
        """Add a frame (channel, y, x)."""
        to, of = _overlap(frame, np.rint(shift).astype(int))
        self._light[:, *to] += frame[:, *of]
        self._cover[to] += 1
        self._fractions.append(fractions(shift))

    def mean(self) -> tuple[Image, Image]:
        """Their mean (channel, y, x), registered, and how many of them cover each pixel (y, x)."""
        # Where none of them covers a pixel the mirror image of one keeps the transform from ringing.
        whole = np.where(self._cover > 0, self._light / np.maximum(self._cover, 1), self._beyond)
        fraction = np.stack(self._fractions).mean(axis=0, dtype=np.float32)
        return shift_frames(whole[None], -fraction[None])[0], self._cover


def _alike(blocks: Blocks, shifts: Image) -> Iterator[_Alike]:
    """Frames in a row with about the same fraction of a pixel, summed."""
    run: _Alike | None = None
    for numbers, frames in blocks:
        for frame, shift, phase in zip(frames, shifts[numbers], _phases(shifts[numbers], PHASES), strict=True):
            if run is None or run.phase != phase:
                if run is not None:
                    yield run
                run = _Alike(int(phase), frame, shift)
            run.add(frame, shift)
    if run is not None:
        yield run


def _overlap(frame: Image, whole: NDArray[np.int_]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns that a frame moved by -whole covers, and those of the frame that come to lie there."""
    to, of = [], []
    for n, step in zip(frame.shape[-2:], whole, strict=True):
        back = int(np.clip(step, -n, n))
        to.append(slice(max(0, -back), n - max(0, back)))
        of.append(slice(max(0, back), n - max(0, -back)))
    return (to[0], to[1]), (of[0], of[1])


def placed(frames: Image, shifts: Image) -> Image:
    """Frames (frame, channel, y, x) moved by -shifts (frame, 2) to the whole pixel, the border filled by the mirror image."""
    whole = np.rint(shifts).astype(np.int64)
    if not whole.any():
        return frames
    if (2 * np.abs(whole) > frames.shape[-2:]).any():
        return move_whole(frames, -whole)
    moved = np.empty_like(frames)
    for frame, out, step in zip(frames, moved, whole, strict=True):
        to, of = _overlap(frame, step)
        out[:, *to] = frame[:, *of]
        for axis in (-2, -1):
            _mirror_border(out.swapaxes(axis, -1), to[axis])
    return moved


def _mirror_border(out: Image, inside: slice) -> None:
    """Fill the last axis beyond `inside` with the mirror image of what is inside."""
    first, last, n = inside.start, inside.stop, out.shape[-1]
    out[..., :first] = out[..., first : 2 * first][..., ::-1]
    out[..., last:] = out[..., 2 * last - n : last][..., ::-1]


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
    whole: NDArray[np.int_] = np.floor(move).astype(int)
    fy, fx = move - whole
    out = np.zeros(planes.shape)
    for dy, dx, share in ((0, 0, (1 - fy) * (1 - fx)), (0, 1, (1 - fy) * fx), (1, 0, fy * (1 - fx)), (1, 1, fy * fx)):
        to, of = _overlap(planes, -whole - np.array([dy, dx]))
        out[:, *to] += share * planes[:, *of]
    return out


def _divided(light: NDArray[np.float64], weight: NDArray[np.float64]) -> Image:
    """Light over weight; pixels that hardly a sample reached take the mean of their neighbours."""
    known = weight > MIN_WEIGHT
    return fill((light / np.maximum(weight, MIN_WEIGHT)).astype(np.float32)[None], ~known)[0]


def score_frames(blocks: Blocks, shifts: Image, stack: Image, cutoff: float, members: Numbers) -> FrameScores:
    """Scores of the frames in `blocks` against the shift-average `stack` (channel, y, x) of the frames `members`."""
    sharp, outlier = np.zeros(len(shifts), np.float32), np.zeros(len(shifts), np.float32)
    gains = np.ones((len(shifts), len(stack)), np.float32)
    for numbers, frames in blocks:
        moved = placed(frames, shifts[numbers])
        mean = MeanOf(stack, len(members), np.isin(numbers, members), fractions(shifts[numbers]))
        sharp[numbers] = coherent_sharpness(moved, mean, cutoff)
        outlier[numbers] = residual_outlier_score(moved, mean)
        gains[numbers] = relative_light(moved, stack)
    return FrameScores(sharp, outlier, gains)


def relative_light(registered: Image, stack: Image) -> Image:
    """Light (frame, channel) of frames relative to the stack, above the stack's dark level, away from the border."""
    dark = np.percentile(stack, 1, axis=(-2, -1))
    inside = edge_taper((stack.shape[1], stack.shape[2]))
    frames, sky = (np.tensordot(each, inside, 2) - dark * inside.sum() for each in (registered, stack))
    return np.asarray(np.clip(frames / sky, 0.1, 10), np.float32)


def draw_heldout(usable: Numbers, share: float, seed: int) -> Numbers:
    """Frames that are held out: at random, because neighbours in time are alike; at least one, never more than half.

    MIN_JUDGES of them at least, where they are no more than a third: fewer do not show their own scatter.
    """
    count = min(max(1, round(share * len(usable)), min(MIN_JUDGES, len(usable) // 3)), len(usable) // 2)
    return np.sort(np.random.default_rng(seed).permutation(usable)[:count])
