"""The guard of a training: it sees when a net collapses or a loss jumps, and names the cause."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from tasks.numerics.robust import mad_sigma

MAX_REVERTS = 3
"""A training that has to be reverted so often has failed."""
WINDOW = 50
"""Losses a new one is compared with, a count."""
SPIKE_MADS, SPIKE_LEAST = 8.0, 3.0
"""A loss further above the median than this many median deviations, and at least by this much, is a spike."""
FLAT = 0.02
"""An answer that varies less than this fraction of the truth has collapsed."""


@dataclass
class Guard:
    """What it remembers: recent losses and the reverts so far."""

    recent: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    events: list[dict[str, Any]] = field(default_factory=list)

    def spike(self, loss: float) -> str:
        """What is wrong with a loss; empty: nothing."""
        if not np.isfinite(loss):
            return "loss is not a number"
        if len(self.recent) >= WINDOW // 2:
            median = float(np.median(self.recent))
            if loss > median + max(SPIKE_MADS * mad_sigma(np.array(self.recent)), SPIKE_LEAST):
                return f"loss jumped from {median:.2f} to {loss:.2f}"
        self.recent.append(loss)
        return ""

    @property
    def failed(self) -> bool:
        """Was it reverted too often?"""
        return len(self.events) >= MAX_REVERTS


def collapsed(answer: Tensor, truth: Tensor) -> str:
    """What is wrong with answers (n, c, y, x) to a fixed probe; empty: nothing."""
    if not bool(answer.isfinite().all()):
        return "answer holds what is no number"
    spread = answer.flatten(2).std(2).mean(0)
    wanted = truth.flatten(2).std(2).mean(0)
    flat = [k for k in range(truth.shape[1]) if float(spread[k]) < FLAT * float(wanted[k])]
    if not flat:
        return ""
    if len(flat) < truth.shape[1]:
        return f"plane {flat[0]} of the answer is flat: one colour"
    level = float(answer[:, : truth.shape[1]].abs().mean())
    return "answer is black" if level < FLAT * float(truth.abs().mean()) else "answer is flat"


def blame(numbers: tuple[int, ...], losses: Tensor, inputs: Tensor, seeds: np.ndarray) -> dict[str, Any]:
    """The examples of a batch whose loss stands out: their numbers, seeds and ranges."""
    values = losses.detach().cpu().numpy().astype(float)
    worst = int(np.nanargmax(np.where(np.isfinite(values), values, np.inf)))
    given = inputs[worst].detach().cpu().numpy()
    return {
        "examples": list(numbers),
        "worst": numbers[worst],
        "sky_seed": int(seeds[numbers[worst]][0]),
        "air_seed": int(seeds[numbers[worst]][1]),
        "range": [float(np.nan_to_num(np.nanmin(given), nan=0.0)), float(np.nan_to_num(np.nanmax(given), nan=0.0))],
        "not_finite": int((~np.isfinite(given)).sum()),
    }
