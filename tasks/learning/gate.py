"""The gate: a learned answer is published only if it beats the classical one in every family of the sealed test set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.learning.pairs.table import Lesson

Figures = dict[str, NDArray[np.float64]]
FAMILY_WINS = 0.8
"""In a single family, which has fewer examples, this fraction of the asked wins is enough."""
REDUCED: dict[str, Callable[[NDArray[np.float64]], float]] = {
    "median": lambda values: float(np.median(values)),
    "mean": lambda values: float(np.mean(values)),
    "largest": lambda values: float(np.max(values)),
}


def family_row(family: str, figures: Figures, seen: bool) -> dict[str, Any]:
    """Figures of one family: medians, the gain, its wins."""
    row: dict[str, Any] = {"family": family, "trained_on": seen, "examples": len(figures["gain"])}
    row |= {name: round(float(np.median(values)), 4) for name, values in figures.items()}
    row["wins"] = round(float(np.mean(figures["gain"] > 0)), 4)
    row["worst_gain"] = round(float(figures["gain"].min()), 4)
    return row


def judge(lesson: Lesson, figures: dict[str, Figures]) -> dict[str, Any]:
    """Did it pass, and what failed in words."""
    failed = []
    overall = float(np.mean(np.concatenate([values["gain"] for values in figures.values()]) > 0))
    if overall < lesson.least_wins:
        failed.append(f"better on {overall:.0%} of all examples, {lesson.least_wins:.0%} is asked for")
    for family, values in figures.items():
        gain, wins = float(np.median(values["gain"])), float(np.mean(values["gain"] > 0))
        least = lesson.least_gain_of.get(family, lesson.least_gain)
        if not gain >= least:
            failed.append(f"{family}: gain {gain:.2f}, {least:g} is asked for")
        if wins < FAMILY_WINS * lesson.least_wins:
            least_wins = FAMILY_WINS * lesson.least_wins
            failed.append(f"{family}: better on {wins:.0%} of the examples, {least_wins:.0%} is asked for")
        for key, (how, limit) in lesson.limits.items():
            only, _, name = key.rpartition("/")
            if only not in ("", family):
                continue
            found = REDUCED[how](values[name])
            if not found <= limit:
                failed.append(f"{family}: {how} {name} {found:.4f}, at most {limit:g} is allowed")
    return {"passed": not failed, "failed": failed, "wins": round(overall, 4), "asked": asked(lesson)}


def asked(lesson: Lesson) -> dict[str, Any]:
    """What the gate asks for."""
    gains = {f"gain {family}": least for family, least in lesson.least_gain_of.items()}
    return {
        "gain": lesson.least_gain,
        **gains,
        "wins": lesson.least_wins,
        **{k: list(v) for k, v in lesson.limits.items()},
    }
