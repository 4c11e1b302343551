"""What the pairs of all steps share in judging: decibels, and figures example by example."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.learning.pairs.base import Pairs

Image = NDArray[np.float32]
JudgeOne = Callable[[Pairs, Image, int], dict[str, float]]
"""Pairs, a net's answers to all of them, and the number of one example, to its figures."""


def example_by_example(judge: JudgeOne) -> Callable[[Pairs, Image], dict[str, NDArray[np.float64]]]:
    """A function that judges one example becomes one that judges all: figure to its values."""

    @wraps(judge)
    def judged(pairs: Pairs, answers: Image) -> dict[str, NDArray[np.float64]]:
        rows = [judge(pairs, answers, number) for number in range(len(pairs))]
        return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}

    return judged


def decibels(truth: Image, picture: Image, where: Any = ...) -> float:
    """Peak signal-to-noise ratio of a picture (y, x), the peak being the range of the truth; `where`: of these pixels."""
    error = float(np.mean((truth - picture)[where] ** 2, dtype=np.float64))
    return decibels_of(error, float(np.ptp(truth)))


def decibels_of(error: float, peak: float) -> float:
    """The same of a mean squared error."""
    return 10 * np.log10(peak**2 / max(error, 1e-20))
