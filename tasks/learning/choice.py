"""Before the fit: the ladder of ever larger sets, the test of learning rates, and the choice of one by k-fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from storage.errors import Hopeless
from tasks.learning.batches import whole
from tasks.learning.fit import Fit, Task, base_loss, gain_on, run
from tasks.learning.pairs.base import Pairs, joined

MUST_OVERFIT = 0.3
"""Least gain over the classical answer, dB or px/10, on one batch that a net is trained on alone."""
HELD = 24
"""Examples of a held-out fold that a rate is judged on."""
TEN = 10
"""Examples of the second rung."""
RATE_TEST = (1e-5, 1e-1, 30)
"""Learning rates from, to, and in how many steps they are tried."""
Build = Callable[[], nn.Module]


def ladder(build: Build, task: Task) -> dict[str, Any]:
    """One batch, then ten examples: a net that cannot learn them by heart will not learn all; it stops with a diagnosis."""
    rungs: dict[str, Any] = {}
    for name, size in (("one_batch", task.settings.batch), ("ten", TEN)):
        few = _spread(task.train, size)
        small = replace(task, train=few, validation=few, sampling=replace(task.sampling, augment=False))
        fit = run(Fit(build(), small, max(task.settings.rates), task.settings.ladder_steps))
        rungs[name] = gain_on(fit.net, few, task.loss, task.device)
        if name == "one_batch" and rungs[name] < MUST_OVERFIT * task.unit:
            raise Hopeless(
                f"cannot overfit: after {task.settings.ladder_steps} steps on one batch the net is {rungs[name]:.3f} better than "
                f"the classical answer, {MUST_OVERFIT * task.unit:g} is asked for; it is too narrow (width "
                f"{task.settings.width}), the rate is wrong, or what it is given does not hold the answer"
            )
    return rungs


def choose(build: Build, task: Task) -> tuple[float, list[dict[str, Any]]]:
    """The rate of the declared ones with the largest mean gain over the folds; folds are split by sky and air."""
    settings = task.settings
    if settings.folds == 1 or len(settings.rates) == 1:
        return settings.rates[0], []
    everything = joined([task.train, task.validation])
    folds = fold_numbers(everything, settings.folds)
    rows: list[dict[str, Any]] = []
    for rate in settings.rates:
        gains = []
        for held in folds:
            rest = np.setdiff1d(np.arange(len(everything)), held)
            part = replace(task, train=everything.at(rest), validation=_spread(everything.at(held), HELD))
            fit = run(Fit(build(), part, rate, settings.fold_steps))
            gains.append(gain_on(fit.net, part.validation, task.loss, task.device))
        rows.append({"rate": rate, "mean": float(np.mean(gains)), "std": float(np.std(gains)), "folds": gains})
    return max(rows, key=lambda row: row["mean"])["rate"], rows


def fold_numbers(pairs: Pairs, folds: int) -> list[np.ndarray]:
    """Numbers of the examples of each fold: all examples of a sky and its air are in one fold."""
    groups = np.unique(pairs.seeds, axis=0, return_inverse=True)[1].reshape(-1)
    return [np.flatnonzero(groups % folds == fold) for fold in range(folds)]


def rate_test(build: Build, task: Task) -> list[dict[str, Any]]:
    """The loss against the classical answer's while the rate rises from step to step."""
    low, high, count = RATE_TEST
    rates = np.geomspace(low, high, count)
    fit = Fit(build(), task, low, count)
    batch = whole(_spread(task.train, task.settings.batch)).to(task.device)
    rows = []
    for rate in rates:
        fit.optimiser.param_groups[0]["lr"] = float(rate)
        answer = fit.net(batch.inputs, batch.classical, batch.conditions)
        losses = task.loss(answer, batch.truth, batch.weight)
        gain = float((base_loss(answer, batch, task.loss) - losses).mean().detach())
        if not np.isfinite(gain):
            break
        rows.append({"rate": float(rate), "gain": gain})
        fit.optimiser.zero_grad()
        losses.mean().backward()  # type: ignore[no-untyped-call]
        fit.optimiser.step()
    return rows


def _spread(pairs: Pairs, size: int) -> Pairs:
    """So many examples, from all over the set."""
    return pairs.at(np.linspace(0, len(pairs) - 1, min(size, len(pairs))).astype(np.int64))
