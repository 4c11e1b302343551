"""shift_average: the shifted average and the lucky one, the first sky, which every later result must beat."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from configs.schema import ShiftAverage, Telescope
from storage.captures.capture import MIN_FRAMES
from storage.errors import BadCapture
from storage.product import Product
from tasks.numerics.fourier.canvas import canvas_size, window
from tasks.numerics.fourier.shifts import covered, shift_frames
from tasks.numerics.frames.quality import (
    coherent_sharpness,
    lucky_share,
    ranking,
    residual_outlier_score,
    upper_outliers,
)
from tasks.products.clean_frames import Prepared, prepared
from tasks.products.frames import flag
from tasks.products.optics import check_wavelengths, cutoff_cpp
from tasks.running.step import Work, step

Image = NDArray[np.float32]


@step(version="1")
def shift_average(
    work: Work, frames: Product, mean: Product, shifts: Product, telescope: Telescope, settings: ShiftAverage
) -> None:
    """Rank the frames, hold some out at random, and average the share of the sharpest that the held-out like best."""
    with prepared(work, frames, mean) as clean, work.open(shifts) as aligned, work.open(mean) as average:
        moves, flags = aligned["shifts"][:], aligned["flags"][:]
        check_wavelengths(telescope, clean.stack.shape[1])
        cutoff = cutoff_cpp(telescope, 0, average)
        size = settings.block_frames
        stack = _stack(clean, moves, np.flatnonzero(flags == 0), size)
        sharp, strange, gains = _judge_frames(clean, moves, flags, stack, cutoff, size)
        ok = flags == 0
        ok[ok] = ~upper_outliers(strange[ok])
        flags[(flags == 0) & ~ok] |= flag("streak")
        if ok.sum() < MIN_FRAMES:
            raise BadCapture(
                f"{int(ok.sum())} frames of {len(flags)} can be aligned and have no streak; at least {MIN_FRAMES} are needed: "
                f"look at the capture, its target may leave the field"
            )
        held = np.sort(_draw(np.flatnonzero(ok), settings))
        order = ranking(sharp, ok)[: int(ok.sum())]
        rest = order[~np.isin(order, held)]
        lucky = lucky_share(_lumas(clean, size), np.nan_to_num(moves), rest, min(cutoff, 0.5), settings.seed)
        work.progress(4, 5)
        chosen = rest[: max(1, round(lucky.share * len(rest)))]
        with work.create() as file:
            file["stack"] = _stack(clean, moves, np.sort(rest), size)
            file["sky"] = _stack(clean, moves, np.sort(chosen), size)
            file.update({"order": rest, "held": held, "flags": flags, "sharpness": sharp, "strangeness": strange})
            file.update({"shifts": moves, "gains": gains})
            file.update({"shares": np.array(lucky.shares), "bits": np.array(lucky.bits)})
            file.attrs["share"] = lucky.share


def _draw(usable: NDArray[np.int64], settings: ShiftAverage) -> NDArray[np.int64]:
    """The held-out frames: at random, because neighbours in time are alike; at least one, never more than half."""
    count = min(max(1, round(settings.heldout_share * len(usable))), len(usable) // 2)
    return np.random.default_rng(settings.seed).permutation(usable)[:count]


def _stack(clean: Prepared, moves: Image, chosen: NDArray[np.int64], size: int) -> Image:
    """Mean (channel, y, x) of the chosen frames put in their places; each pixel over the frames that cover it."""
    total = np.zeros(clean.stack.shape[1:], np.float64)
    weight = np.zeros(clean.stack.shape[2:], np.float64)
    for start in range(0, len(chosen), size):
        part = chosen[start : start + size]
        back = -moves[part]
        total += (
            shift_frames(clean.take(part), back) * covered((weight.shape[0], weight.shape[1]), back)[:, None]
        ).sum(0)
        weight += covered((weight.shape[0], weight.shape[1]), back).sum(0)
    return _filled(total, weight).astype(np.float32)


def _filled(total: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean light; pixels that no frame covers get the median, which no one mistakes for detail."""
    mean = total / np.maximum(weight, 1)
    return np.where(weight > 0, mean, np.median(mean, axis=(-2, -1), keepdims=True))


def _judge_frames(
    clean: Prepared, moves: Image, flags: NDArray[np.uint8], stack: Image, cutoff: float, size: int
) -> tuple[Image, Image, Image]:
    """Sharpness and strangeness (frame,) of every frame that has a place, and its light (frame, channel)."""
    sharp, strange = np.zeros(len(flags), np.float32), np.zeros(len(flags), np.float32)
    gains = np.ones((len(flags), len(stack)), np.float32)
    for start, block in clean.blocks(size):
        here = np.flatnonzero(flags[start : start + len(block)] == 0)
        if len(here):
            at = start + here
            moved = shift_frames(block[here], -moves[at])
            sharp[at] = coherent_sharpness(moved, stack, int((flags == 0).sum()), min(cutoff, 0.5))
            strange[at] = residual_outlier_score(moved, stack)
            gains[at] = _light(moved, stack)
    return sharp, strange, gains


def _light(moved: Image, stack: Image) -> Image:
    """Light (frame, channel) of aligned frames relative to the stack, above the stack's dark level, away from the border."""
    dark = np.percentile(stack, 1, axis=(-2, -1), keepdims=True)
    taper = window(stack.shape[1], stack.shape[2], canvas_size(stack.shape[1], stack.shape[2]))
    inside = taper[taper.any(axis=1)][:, taper.any(axis=0)]
    light = ((moved - dark) * inside).sum((-2, -1)) / ((stack - dark) * inside).sum((-2, -1))
    return np.asarray(np.clip(light, 0.1, 10), np.float32)


def _lumas(clean: Prepared, size: int) -> Iterator[Image]:
    for _, block in clean.blocks(size):
        yield block
