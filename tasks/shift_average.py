"""shift_average: the shift-average and the lucky stack, the first skies, which every later result must beat."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from configs.schema import ShiftAverage, Telescope
from storage.captures.capture import MIN_FRAMES
from storage.errors import BadCapture
from storage.product import Product
from tasks.numerics.frames import stacking
from tasks.numerics.frames.noise_curve import FREQUENCIES_CPP, LearntNoise, learn_noise
from tasks.numerics.frames.quality import lucky_share, ranking, upper_outliers
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Mean, Shifts, Stack
from tasks.products.cutout import cutout_of
from tasks.products.frames import flag
from tasks.products.optics import check_wavelengths, cutoff_cpp
from tasks.running.step import Work, step


@step(version="5")
def shift_average(
    work: Work, frames: Product, mean: Product, shifts: Product, telescope: Telescope, settings: ShiftAverage
) -> None:
    """Rank the frames, hold some out at random, and average the share of the sharpest that the held-out agree with best."""
    with open_clean_frames(work, frames) as clean:
        with work.open(Shifts, shifts) as aligned, work.open(Mean, mean) as average:
            moves, flags = aligned.shifts[:], aligned.flags[:]
            check_wavelengths(telescope, len(clean.colours))
            cutoff = cutoff_cpp(telescope, 0, average)
        size = clean.few(settings.block_frames)
        looked_at = np.flatnonzero(flags == 0)
        everything = stacking.shifted_sum(clean.chosen_lumas(looked_at, size), moves)
        scores = _scores(clean, moves, looked_at, everything.mean(), cutoff, size)
        ok = flags == 0
        ok[ok] = ~upper_outliers(scores.residual_outlier_score[ok])
        flags[(flags == 0) & ~ok] |= flag("streak")
        _check_enough(ok)
        held = stacking.draw_heldout(np.flatnonzero(ok), settings.heldout_share, settings.seed)
        order = ranking(scores.sharpness, ok)[: int(ok.sum())]
        rest = order[~np.isin(order, held)]
        lucky = lucky_share(clean.lumas(size), np.nan_to_num(moves), rest, cutoff, settings.seed)
        work.progress(4, 5)
        luckiest = rest[: max(1, round(lucky.share * len(rest)))]
        stack, lucky_stack = _stacks(clean, moves, (looked_at, rest, luckiest), everything, size)
        content = Stack(
            stack=stack,
            lucky_stack=lucky_stack,
            order=rest,
            held=held,
            flags=flags,
            sharpness=scores.sharpness,
            residual_outlier_score=scores.residual_outlier_score,
            shifts=moves,
            gains=np.broadcast_to(scores.gains, (len(moves), len(clean.colours))).copy(),
            shares=np.array(lucky.shares),
            bits=np.array(lucky.bits),
            share=lucky.share,
            mosaic=clean.content.mosaic,
        )
        work.save(_with_noise(content, clean, np.flatnonzero(ok), size))


def _with_noise(content: Stack, clean: CleanFrames, usable: NDArray[np.int64], size: int) -> Stack:
    """The product with the noise curve of each channel that is not white. The noise of a mosaic's pixels is taken as white."""
    found = [LearntNoise(None, 1.0)] * len(clean.colours)
    for channel in range(len(clean.colours)):
        cutout = cutout_of(content, channel)
        if cutout.sampling.is_full:
            blocks = (cutout.frames(clean, usable[start : start + size]) for start in range(0, len(usable), size))
            found[channel] = learn_noise(blocks, len(usable), float((cutout.taper.astype(np.float64) ** 2).sum()))
    curves = [np.full(len(FREQUENCIES_CPP), np.nan) if each.curve is None else each.curve for each in found]
    curve = None if all(each.curve is None for each in found) else np.stack(curves)
    return replace(content, noise_ratio=np.array([each.ratio for each in found]), noise_curve=curve)


def _stacks(
    clean: CleanFrames,
    moves: NDArray[np.float32],
    sets: tuple[stacking.Numbers, stacking.Numbers, stacking.Numbers],
    everything: stacking.ShiftedSum,
    size: int,
) -> tuple[stacking.Image, stacking.Image]:
    """Mean of all but a few and of the luckiest; `sets` are all frames, those of the stack and the luckiest of these.

    What is left out is read again and taken off the sum of all; a mosaic's colours are summed anew, each on its own pixels.
    """
    everyone, rest, luckiest = (np.sort(each) for each in sets)
    if not all(sampling.is_full for sampling in clean.samplings):
        blocks = (clean.chosen_blocks(chosen, size) for chosen in (rest, luckiest))
        first, second = (stacking.average_colours(each, moves, clean.samplings) for each in blocks)
        return first, second

    def sum_of(chosen: stacking.Numbers) -> stacking.ShiftedSum:
        return stacking.shifted_sum(clean.chosen_blocks(chosen, size), moves)

    stack = everything - sum_of(np.setdiff1d(everyone, rest))
    few = len(luckiest) <= len(rest) // 2
    lucky = sum_of(luckiest) if few else stack - sum_of(np.setdiff1d(rest, luckiest))
    return stack.mean(), lucky.mean()


def _scores(
    clean: CleanFrames,
    moves: NDArray[np.float32],
    usable: NDArray[np.int64],
    stack: stacking.Image,
    cutoff: float,
    size: int,
) -> stacking.FrameScores:
    """Scores of the usable frames against the mean of them all."""
    placed = np.full_like(moves, np.nan)
    placed[usable] = moves[usable]
    return stacking.score_frames(clean.chosen_lumas(usable, size), placed, stack, cutoff)


def _check_enough(ok: NDArray[np.bool_]) -> None:
    if ok.sum() < MIN_FRAMES:
        raise BadCapture(
            f"{int(ok.sum())} frames of {len(ok)} can be aligned and have no streak; at least {MIN_FRAMES} are needed: "
            f"look at the capture, its target may leave the field"
        )
