"""From batches and rounds to one set of sums: batches registered on each other, rounds averaged by their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.fourier.sampling import FULL, Sampling
from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.sky.aliases import turned
from tasks.numerics.sky.amplitude import batch_sky, sky_offset
from tasks.numerics.sky.likelihood import Sums, count_of, sums_of_arrays

Offset = tuple[float, float]
"""(dy, dx) px."""


Scalar = TypeVar("Scalar", bound=np.generic, covariant=True)


class Planes(Protocol[Scalar]):
    """Half-planes (batch, y, x//2+1) that are read one at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> NDArray[Scalar]: ...


@dataclass(frozen=True)
class RoundShare:
    """How a round's own frames weigh against those of the rounds before."""

    own: float
    """Fraction of all frames."""

    def average(self, own: float, before: float) -> float:
        """A number of this round and of those before, averaged over their frames."""
        return self.own * own + (1 - self.own) * before

    def average_curve(self, own: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same of curves (ring,)."""
        return np.asarray(self.own * own + (1 - self.own) * before, np.float32)


def batch_offsets(
    power: Planes[Any], cross: Planes[np.complex64], noise: float, sampling: Sampling = FULL
) -> list[Offset]:
    """By how much each batch's sky must move onto the first one's, where batches were solved without a common sky.

    `power` and `cross` are the sums A and B of each batch.
    """
    if len(power) < 2:
        return [(0.0, 0.0)] * len(power)
    first, *others = (batch_sky(sums_of_arrays(power[k], cross[k], sampling), noise) for k in range(len(power)))
    return [(0.0, 0.0), *(sky_offset(first, other) for other in others)]


def sum_batches(
    power: Planes[Any],
    cross: Planes[np.complex64],
    offsets: Sequence[Offset],
    chosen: NDArray[np.bool_],
    weight: float,
    sampling: Sampling = FULL,
) -> Sums:
    """A and B over the chosen batches, each times `weight` and moved by its offset; one batch is in memory at a time."""
    size = power.shape[-2] * sampling.period
    total_power = np.zeros(power.shape[1:], np.float32 if sampling.is_full else np.complex64)
    total_cross = np.zeros(cross.shape[1:], np.complex64)
    factor = np.float32(weight)
    for number in np.flatnonzero(chosen).tolist():
        move = phase_ramp((size, size), np.array(offsets[number], np.float32))
        if sampling.is_full:
            own_power, own_cross = power[number], cross[number] * move
        else:
            pair = torch.from_numpy(power[number]), torch.from_numpy(cross[number])
            own_power, own_cross = (each.numpy() for each in turned(*pair, torch.from_numpy(move), sampling))
        total_power, total_cross = total_power + factor * own_power, total_cross + factor * own_cross
    frames = count_of(total_power, sampling)
    return Sums(torch.from_numpy(total_power), torch.from_numpy(total_cross), frames, sampling)
