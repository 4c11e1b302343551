"""Batches of examples: which ones, where they are cut and how they are turned follows from the seed and the step alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.learning.pairs.base import Pairs


@dataclass(frozen=True)
class Batch:
    """Examples as tensors, and which ones they are."""

    inputs: Tensor
    classical: Tensor
    truth: Tensor
    weight: Tensor
    conditions: Tensor
    numbers: tuple[int, ...]

    def to(self, device: str) -> Batch:
        """On a device."""
        given = (self.inputs, self.classical, self.truth, self.weight, self.conditions)
        inputs, classical, truth, weight, conditions = (each.to(device) for each in given)
        return Batch(inputs, classical, truth, weight, conditions, self.numbers)


@dataclass(frozen=True)
class Sampling:
    """How batches are drawn."""

    size: int
    crop_px: int
    seed: int
    augment: bool
    vectors: bool
    """The answer's first two planes are dy, dx: they turn with the picture."""


def batch_at(pairs: Pairs, sampling: Sampling, step: int) -> Batch:
    """The batch of one step."""
    numbers = np.random.default_rng([sampling.seed, step]).integers(0, len(pairs), sampling.size)
    return batch_of(pairs, sampling, step, numbers.tolist())


def batch_of(pairs: Pairs, sampling: Sampling, step: int, numbers: list[int]) -> Batch:
    """These examples, each cut and turned by its own random numbers."""
    cut = [_example(pairs, sampling, number, (step, place)) for place, number in enumerate(numbers)]
    inputs, classical, truth, weight = (torch.from_numpy(np.stack(planes)) for planes in zip(*cut, strict=True))
    return Batch(inputs, classical, truth, weight, torch.from_numpy(pairs.conditions[numbers]), tuple(numbers))


def whole(pairs: Pairs) -> Batch:
    """All examples as they are."""
    arrays = (pairs.inputs, pairs.classical, pairs.truth, pairs.weight, pairs.conditions)
    inputs, classical, truth, weight, conditions = (torch.from_numpy(each) for each in arrays)
    return Batch(inputs, classical, truth, weight, conditions, tuple(range(len(pairs))))


def turned(planes: np.ndarray, quarter: int, mirror: bool, vectors: bool) -> np.ndarray:
    """Planes (c, y, x) turned by quarters and mirrored in x; with `vectors` the first two planes are dy, dx and turn too."""
    out = np.rot90(planes, quarter, (1, 2))
    if vectors:
        dy, dx = out[0], out[1]
        for _ in range(quarter):
            dy, dx = -dx, dy
        out = np.concatenate([np.stack([dy, dx]), out[2:]])
    if mirror:
        out = out[:, :, ::-1]
        if vectors:
            out = np.concatenate([out[:1], -out[1:2], out[2:]])
    return np.ascontiguousarray(out)


def _example(pairs: Pairs, sampling: Sampling, number: int, place: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng([sampling.seed, 1, *place])
    height, width = pairs.inputs.shape[-2:]
    crop = min(sampling.crop_px, height, width)
    top, left = int(rng.integers(0, height - crop + 1)), int(rng.integers(0, width - crop + 1))
    quarter, mirror = (int(rng.integers(4)), bool(rng.integers(2))) if sampling.augment else (0, False)
    box = (slice(None), slice(top, top + crop), slice(left, left + crop))
    return [
        turned(planes[number][box], quarter, mirror, vectors)
        for planes, vectors in (
            (pairs.inputs, False),
            (pairs.classical, sampling.vectors),
            (pairs.truth, sampling.vectors),
            (pairs.weight, False),
        )
    ]
