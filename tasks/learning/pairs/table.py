"""The table of what is learned: how pairs are simulated, the loss, how answers are judged, and what the gate asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.training import Examples
from storage.errors import Hopeless
from tasks.learning.pairs import burst, dewarp, enhance, fill
from tasks.learning.pairs.base import Pairs

Simulate = Callable[[str, tuple[int, int], Examples], Pairs]
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
    """What the gate asks for in every family: dB, or for dewarp the fraction by which it is nearer to the true field."""
    least_wins: float
    """Fraction of all examples on which the learned answer is the better one; a single family may have a fifth less."""
    limits: Mapping[str, tuple[str, float]]
    """Figure that must be small in every family, or as family/figure in one: (median, mean or largest, limit)."""
    least_gain_of: Mapping[str, float] = field(default_factory=dict)
    """Families of which something else is asked."""
    vectors: bool = False
    """The answer is a field of vectors."""
    unit: float = 1.0
    """Size of a typical gain of the loss."""


def log_error(answer: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Ten times the logarithm of each example's mean squared error, dB: every example counts alike."""
    square = (((answer - truth) ** 2) * weight).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) * truth.shape[1] + 1e-6)
    return 10 * torch.log10(square + 1e-7)


LESSONS: dict[str, Lesson] = {
    "fill": Lesson(
        fill.simulate,
        log_error,
        fill.judged,
        fill.domain,
        families=("planet", "moon", "sun", "galaxy"),
        unseen=("satellite",),
        least_gain=0.3,
        least_wins=0.5,
        limits={"changed_outside": ("largest", 0.0)},
        unit=0.3,
    ),
    "dewarp": Lesson(
        dewarp.simulate,
        dewarp.field_loss,
        dewarp.judged,
        dewarp.domain,
        families=("moon", "sun", "planet"),
        unseen=("satellite",),
        least_gain=0.25,
        least_wins=0.9,
        limits={"over_ilk": ("median", 0.9), "surer_half": ("median", 0.65), "stack_behind_grid_db": ("median", -0.2)},
        vectors=True,
        unit=0.1,
    ),
    "burst": Lesson(
        burst.simulate,
        log_error,
        burst.judged,
        burst.domain,
        families=("rotating", "turbulent", "independent"),
        unseen=("rotating satellite", "turbulent satellite"),
        least_gain=1.5,
        least_gain_of={"rotating": 2.0, "rotating satellite": 2.0, "independent": -0.1},
        least_wins=0.4,
        limits={"residual_excess": ("median", 0.0)},
    ),
    "enhance": Lesson(
        enhance.simulate,
        log_error,
        enhance.judged,
        enhance.domain,
        families=("planet", "moon", "sun", "stars", "galaxy"),
        unseen=("satellite",),
        least_gain=1.5,
        least_wins=0.9,
        limits={
            "light_error": ("largest", 0.01),
            "chi2_excess": ("median", 0.0),
            "new_sources_excess": ("median", 0.0),
            "stars/new_sources_excess": ("mean", 0.0),
            "galaxy/new_sources_excess": ("mean", 0.0),
        },
    ),
}
"""Step: what is learned for it."""


def lesson_of(step: str) -> Lesson:
    """The row of a step."""
    if step not in LESSONS:
        raise Hopeless(f"nothing is learned for {step!r}; known: {', '.join(LESSONS)}")
    return LESSONS[step]
