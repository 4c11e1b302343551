"""The table of what is learned: how pairs are simulated, the loss, how answers are judged, and what the gate asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.training import Training
from storage.errors import Hopeless
from tasks.learning.pairs import enhance
from tasks.learning.pairs.base import Pairs

Simulate = Callable[[str, tuple[int, int], Training], Pairs]
Judge = Callable[[Pairs, NDArray[np.float32]], dict[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Lesson:
    """What is learned for one step."""

    simulate: Simulate
    """(family, (sky seed, air seed), settings) to the pairs of one sky."""
    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    judged: Judge
    domain: Callable[[Pairs], dict[str, NDArray[np.float32]]]
    """Of each example the figures whose range a model may be used in."""
    families: tuple[str, ...]
    """Targets that are trained on."""
    unseen: tuple[str, ...]
    """Targets that only the test holds."""
    least_gain: float
    """What the gate asks for in every family, in the unit of the gain: dB, or for dewarp the fraction by which it is nearer."""
    least_wins: float
    """Fraction of the examples on which the learned answer is the better one."""
    limits: Mapping[str, tuple[str, float]]
    """Figure that must be small in every family: (median, mean or largest, limit)."""
    vectors: bool = False
    """The answer is a field of vectors."""
    unit: float = 1.0
    """Size of a typical gain of the loss."""


def log_error(answer: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Ten times the logarithm of each example's mean squared error, dB: every example counts alike."""
    square = (((answer - truth) ** 2) * weight).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) * truth.shape[1] + 1e-6)
    return 10 * torch.log10(square + 1e-7)


LESSONS: dict[str, Lesson] = {
    "enhance": Lesson(
        enhance.simulate,
        log_error,
        enhance.judged,
        enhance.domain,
        families=("planet", "moon", "sun", "stars", "galaxy"),
        unseen=("satellite",),
        least_gain=1.5,
        least_wins=0.9,
        limits={"light_error": ("largest", 0.01), "chi2_excess": ("median", 0.0), "new_sources_excess": ("mean", 0.0)},
    ),
}
"""Step: what is learned for it."""


def lesson_of(step: str) -> Lesson:
    """The row of a step."""
    if step not in LESSONS:
        raise Hopeless(f"nothing is learned for {step!r}; known: {', '.join(LESSONS)}")
    return LESSONS[step]
