"""Batches of frames: how they are cut, what holds one fixed beside another, and their likelihood."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.psf_models.base import Batch
from tasks.numerics.sky.likelihood import Sums, loss_of
from tasks.numerics.sky.wiener import floor_of, ring_power

MIN_HALF_FRAMES = 16
"""Fewer frames than this do not find a sky by themselves."""


@dataclass(frozen=True)
class FrameBatch:
    """Frames that are solved together."""

    frames: NDArray[np.int64]
    half: int
    """0 or 1: batches of one half-set never learn of the other's sky, so that the two can be compared."""


def fresh_batches(
    todo: NDArray[np.int64], batch_frames: int, starts: int, halves_apart: bool = False
) -> list[FrameBatch]:
    """Batches of frames that are solved from nothing, each with its share of the luckiest, `starts` times over.

    They are about as large as asked for: less than half a batch waits for the sky that the luckier frames find. The
    half-sets are every second batch, or every second start where there is one batch. `halves_apart` makes them the first
    and the second half of the time: neighbours in time may share an error that is no sky.
    """
    if halves_apart and len(todo) >= 2 * MIN_HALF_FRAMES:
        return _batches_apart(todo, batch_frames, starts)
    count = max(1, round(len(todo) / batch_frames))
    kept = todo[: count * batch_frames]
    numbers = itertools.product(range(starts), range(count))
    return [FrameBatch(kept[first::count], (first if count > 1 else start) % 2) for start, first in numbers]


def _batches_apart(todo: NDArray[np.int64], batch_frames: int, starts: int) -> list[FrameBatch]:
    """As many batches of the frames before the median time as of those after it."""
    count = max(1, round(len(todo) / batch_frames / 2))
    kept = todo[: 2 * count * batch_frames]
    late = kept > np.median(kept)
    numbers = itertools.product(range(starts), range(count), (0, 1))
    return [FrameBatch(kept[late == bool(half)][first::count], half) for _, first, half in numbers]


def later_batches(todo: NDArray[np.int64], batch_frames: int, halves: int) -> list[FrameBatch]:
    """Batches of frames that are fitted to a sky; every half-set gets a batch."""
    count = max(min(halves, len(todo)), math.ceil(len(todo) / batch_frames))
    return [FrameBatch(todo[first::count], first % halves) for first in range(count)]


def beside(batch: Batch, fixed: Sums | None) -> Batch:
    """The batch with the sums of more frames held fixed: both must agree on where the sky is, and how much there is."""
    if fixed is None:
        return batch
    others = fixed if batch.others is None else batch.others + fixed
    power = ring_power(fixed, batch.noise) if batch.sky_power is None else batch.sky_power
    return replace(batch, others=others, sky_power=power)


def batch_loss(batch: Batch, own: Sums, sky_power: torch.Tensor | None) -> float:
    """Minus the log-likelihood of a batch's frames, given those held fixed, at temperature 1; nats.

    All skies that the data allow are integrated over: their share without these frames is taken off.
    """
    nothing = Sums(torch.zeros_like(own.power), torch.zeros_like(own.cross), 0, own.sampling)
    others = nothing if batch.others is None else batch.others
    total = others + own
    noise = torch.tensor(batch.noise, device=own.power.device)
    power = ring_power(total, batch.noise) if sky_power is None else sky_power
    floor = floor_of(power, batch.noise, own.size)
    return float(loss_of(total, noise, floor) - loss_of(others, noise, floor))
