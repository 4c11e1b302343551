"""shift_average: the shift-average and the lucky stack, the first skies, which every later result must beat."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.schema import ShiftAverage, Telescope
from storage.captures.capture import MIN_FRAMES
from storage.errors import BadCapture
from storage.product import Product
from tasks.numerics.fourier.binning import binned
from tasks.numerics.frames import stacking
from tasks.numerics.frames.mosaic import grey, on_finer_grid
from tasks.numerics.frames.noise_curve import FREQUENCIES_CPP, LearntNoise, learn_noise
from tasks.numerics.frames.quality import Lucky, Run, lucky_share, ranking, upper_outliers
from tasks.products.clean_frames import CleanFrames, box_of, open_clean_frames
from tasks.products.contents import Mean, Shifts, Stack
from tasks.products.cutout import cutout_of
from tasks.products.frames import flag
from tasks.products.optics import check_scale, check_wavelengths, cutoff_cpp
from tasks.running.step import Work, step

NOISE_FRAMES = 256
"""Consecutive frames, from the middle of the capture, that tell whether the noise is white."""
RANKED_PHASES = 4
"""Fractions of a pixel along each axis that are told apart where shares of the sharpest frames are compared."""
SAMPLE_FRAMES = 256
"""Random frames with whose mean each frame is compared."""


@dataclass(frozen=True)
class Ranked:
    """The stacks, and the frames they are made of."""

    stack: stacking.Image
    lucky_stack: stacking.Image
    order: stacking.Numbers
    """Sharpest first."""
    held: stacking.Numbers
    flags: NDArray[np.uint8]
    moves: stacking.Image
    """(frame, 2) camera px."""
    scale: int
    """Pixels of the stacks for one of the camera's, along each axis."""


@step(version="8")
def shift_average(
    work: Work,
    frames: Product,
    mean: Product,
    shifts: Product,
    telescope: Telescope,
    settings: ShiftAverage,
    scale: int = 1,
) -> None:
    """Rank the frames, hold some out at random, and average the share of the sharpest that the held-out agree with best.

    Stacks have `scale` pixels for each of the camera's, along both axes: the grid of the sky.
    """
    check_scale(telescope, scale)
    with open_clean_frames(work, frames) as whole:
        clean = whole.inside
        with work.open(Shifts, shifts) as aligned, work.open(Mean, mean) as average:
            moves, flags = aligned.shifts[:], aligned.flags[:]
            check_wavelengths(telescope, len(clean.colours))
            cutoff, rounding = cutoff_cpp(telescope, 0, average), average.rounding_noise[:]
        size = clean.few(settings.block_frames)
        looked_at = np.flatnonzero(flags == 0)
        scores = _scores(clean, moves, looked_at, cutoff, size)
        ok = _without_streaks(flags, scores.residual_outlier_score)
        held = stacking.draw_heldout(np.flatnonzero(ok), settings.heldout_share, settings.seed)
        order = ranking(scores.sharpness, ok)[: int(ok.sum())]
        rest = order[~np.isin(order, held)]
        runs = _runs(clean, moves, np.sort(rest), size)
        lucky = lucky_share(runs, rest, clean.shape[-2:], cutoff, settings.seed)
        work.progress(4, 5)
        chosen = rest, rest[: max(1, round(lucky.share * len(rest)))]
        if scale == 1 and all(sampling.is_full for sampling in clean.samplings):
            stacks = _stacks(clean, moves, *chosen, size)
        else:
            stacks = _drizzled(clean, moves, *chosen, scale, size)
        stack, lucky_stack = (_in_frame(whole, picture, scale) for picture in stacks)
        ranked = Ranked(stack, lucky_stack, rest, held, flags, moves, scale)
        content = replace(_content(clean, scores, lucky, ranked), rounding_noise=rounding)
        on_camera = replace(content, stack=binned(content.stack[:], scale), shifts=moves, scale=1)
        work.save(_with_noise(content, on_camera, whole, np.flatnonzero(ok), size))


def _content(clean: CleanFrames, scores: stacking.FrameScores, lucky: Lucky, ranked: Ranked) -> Stack:
    return Stack(
        stack=ranked.stack,
        lucky_stack=ranked.lucky_stack,
        order=ranked.order,
        held=ranked.held,
        flags=ranked.flags,
        sharpness=scores.sharpness,
        residual_outlier_score=scores.residual_outlier_score,
        shifts=ranked.moves * np.float32(ranked.scale),
        gains=np.broadcast_to(scores.gains, (len(ranked.moves), len(clean.colours))).copy(),
        shares=np.array(lucky.shares),
        bits=np.array(lucky.bits),
        share=lucky.share,
        mosaic=clean.content.mosaic,
        scale=ranked.scale,
        window=clean.content.window,
    )


def _in_frame(whole: CleanFrames, picture: stacking.Image, scale: int) -> stacking.Image:
    """A stack (channel, y, x) of the window in the whole frame: outside stands the mean frame."""
    if whole.beyond is None:
        return picture
    mean = on_finer_grid(whole.beyond, scale)
    out = stacking.one_registered(mean, np.zeros(2, np.float32), whole.samplings_at(scale))
    out[:, *box_of(whole.content.window, scale)] = picture
    return out


def _with_noise(content: Stack, on_camera: Stack, clean: CleanFrames, usable: NDArray[np.int64], size: int) -> Stack:
    """The product with the noise curve of each channel that is not white, from frames on the camera's own grid.

    The noise of a mosaic's pixels is taken as white.
    """
    found = [LearntNoise(None, 1.0)] * len(clean.colours)
    for channel in range(len(clean.colours)):
        if clean.samplings[channel].is_full:
            cutout = cutout_of(on_camera, channel)
            first = max(0, len(usable) - NOISE_FRAMES) // 2
            some = usable[first : first + NOISE_FRAMES]
            blocks = (cutout.frames(clean, some[start : start + size]) for start in range(0, len(some), size))
            found[channel] = learn_noise(blocks, len(some), float((cutout.taper.astype(np.float64) ** 2).sum()))
    curves = [np.full(len(FREQUENCIES_CPP), np.nan) if each.curve is None else each.curve for each in found]
    curve = None if all(each.curve is None for each in found) else np.stack(curves)
    return replace(content, noise_ratio=np.array([each.ratio for each in found]), noise_curve=curve)


def _stacks(
    clean: CleanFrames, moves: stacking.Image, rest: stacking.Numbers, luckiest: stacking.Numbers, size: int
) -> tuple[stacking.Image, stacking.Image]:
    """Mean of the stack's frames and of the luckiest."""

    def sum_of(chosen: stacking.Numbers) -> stacking.ShiftedSum:
        return stacking.shifted_sum(clean.chosen_blocks(stacking.by_phase(np.sort(chosen), moves), size), moves)

    lucky = sum_of(luckiest)
    others = np.setdiff1d(rest, luckiest)
    return (lucky + sum_of(others) if len(others) else lucky).mean(), lucky.mean()


def _drizzled(
    clean: CleanFrames,
    moves: stacking.Image,
    rest: stacking.Numbers,
    luckiest: stacking.Numbers,
    scale: int,
    size: int,
) -> tuple[stacking.Image, stacking.Image]:
    """The same on a grid of `scale` times as many pixels along both axes, of each colour's own samples."""

    def mean_of(chosen: stacking.Numbers) -> stacking.Image:
        blocks = clean.chosen_blocks(np.sort(chosen), max(1, size // scale**2))
        finer = ((numbers, on_finer_grid(block, scale)) for numbers, block in blocks)
        return stacking.average_colours(finer, moves * np.float32(scale), clean.samplings_at(scale))

    return mean_of(rest), mean_of(luckiest)


def _scores(
    clean: CleanFrames, moves: stacking.Image, usable: stacking.Numbers, cutoff: float, size: int
) -> stacking.FrameScores:
    """Scores of the usable frames against the mean of a random sample of them."""
    sample = np.sort(np.random.default_rng(0).permutation(usable)[:SAMPLE_FRAMES])
    mean = stacking.shift_average(clean.chosen_lumas(stacking.by_phase(sample, moves), size), moves)
    return stacking.score_frames(clean.chosen_lumas(usable, size), moves, mean, cutoff, sample)


def _runs(clean: CleanFrames, moves: stacking.Image, chosen: stacking.Numbers, size: int) -> Iterator[Run]:
    """The chosen frames without colour, registered to the pixel."""
    for numbers in stacking.phase_runs(chosen, moves, RANKED_PHASES):
        blocks = clean.chosen_lumas(numbers, size)
        lumas = ((some, grey(stacking.placed(block, moves[some]))) for some, block in blocks)
        frames = (pair for some, block in lumas for pair in zip(some, block, strict=True))
        yield Run(stacking.fractions(moves[numbers]).mean(axis=0), frames)


def _without_streaks(flags: NDArray[np.uint8], scores: stacking.Image) -> NDArray[np.bool_]:
    """Which frames (frame,) can be used; those whose residuals stand out are marked in `flags`."""
    ok = flags == 0
    ok[ok] = ~upper_outliers(scores[ok])
    flags[(flags == 0) & ~ok] |= flag("streak")
    _check_enough(ok)
    return np.asarray(ok)


def _check_enough(ok: NDArray[np.bool_]) -> None:
    if ok.sum() < MIN_FRAMES:
        raise BadCapture(
            f"{int(ok.sum())} frames of {len(ok)} can be aligned and have no streak; at least {MIN_FRAMES} are needed: "
            f"look at the capture, its target may leave the field"
        )
