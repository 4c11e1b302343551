"""The fit of a net: fixed steps, checkpoints that a killed process goes on from bit by bit, and a guard that reverts."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from configs.training import Training
from storage.errors import Hopeless
from tasks.learning.adversary import Adversary
from tasks.learning.batches import Batch, Sampling, batch_at, whole
from tasks.learning.checkpoint import Keeper, State
from tasks.learning.guard import Guard, blame, collapsed
from tasks.learning.pairs.base import Pairs

log = logging.getLogger("stillsky")
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(answer, truth, weight) to the loss of each example, (n,), in dB or px."""
WARM_UP = 30
"""Steps in which the learning rate rises to its value."""
PROBE = 8
"""Number of examples of the fixed probe that a collapse is seen on."""
PIECE = 16
"""Number of whole pictures that go through a net at once."""


@dataclass(frozen=True)
class Task:
    """What a net is fitted to."""

    train: Pairs
    validation: Pairs
    loss: Loss
    settings: Training
    sampling: Sampling
    device: str = "cpu"
    unit: float = 1.0
    """Size of a typical gain, in the unit of the loss."""
    adversary: Adversary | None = None
    """What else an answer is judged by; None: by the loss alone."""


@dataclass
class Fit:
    """A fit that goes on: net, optimiser and what is known of the run."""

    net: nn.Module
    task: Task
    rate: float
    steps: int
    step: int = 0
    factor: float = 1.0
    """The rate is multiplied by this: halved by every revert."""
    skipped: set[int] = field(default_factory=set)
    clipped: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: tuple[float, dict[str, Tensor]] | None = None
    guard: Guard = field(default_factory=Guard)

    def __post_init__(self) -> None:
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=self.rate, weight_decay=1e-4)

    def state(self) -> State:
        """All that a continuation needs."""
        critic, judged = self.task.adversary.state() if self.task.adversary else ({}, {})
        return State(
            copy.deepcopy(self.net.state_dict()),
            copy.deepcopy(self.optimiser.state_dict()),
            copy.deepcopy(self.best),
            critic,
            {
                "critic": judged,
                "step": self.step, "factor": self.factor, "skipped": sorted(self.skipped), "clipped": self.clipped,
                "curve": copy.deepcopy(self.curve), "recent": list(self.guard.recent),
                "events": copy.deepcopy(self.guard.events),
            },
        )  # fmt: skip

    def go_back(self, state: State, keep_events: bool = False) -> None:
        """To a state of before; what the guard has learnt since may be kept."""
        self.net.load_state_dict(state.weights)
        self.optimiser.load_state_dict(copy.deepcopy(state.optimiser))
        self.best = copy.deepcopy(state.best)
        facts = copy.deepcopy(state.facts)
        self.step, self.clipped, self.curve = facts["step"], facts["clipped"], facts["curve"]
        if self.task.adversary is not None:
            self.task.adversary.go_back(state.critic, facts["critic"])
        self.guard.recent.clear()
        self.guard.recent.extend(facts["recent"])
        if not keep_events:
            self.factor, self.skipped = facts["factor"], set(facts["skipped"])
            self.guard.events = facts["events"]


def run(fit: Fit, keeper: Keeper | None = None, progress: Callable[[int, int], None] | None = None) -> Fit:
    """Go on to the last step. Trouble reverts weights and optimiser, halves the rate and leaves the batch out."""
    if keeper is not None and (known := keeper.read()) is not None:
        fit.go_back(known)
    every = fit.task.settings.checkpoint_steps
    good = fit.state()
    while fit.step < fit.steps:
        event = _one_step(fit)
        if not event and (fit.step % every == 0 or fit.step == fit.steps):
            event = _validate(fit)
            if not event:
                good = fit.state()
                if keeper is not None:
                    keeper.write(good)
                if progress is not None:
                    progress(fit.step, fit.steps)
        if event:
            _revert(fit, good, event)
    return fit


def gain_on(net: nn.Module, pairs: Pairs, loss: Loss, device: str = "cpu") -> float:
    """Mean loss of the classical answers minus that of the net's."""
    gains = []
    for start in range(0, len(pairs), PIECE):
        part = whole(pairs.at(slice(start, start + PIECE))).to(device)
        with torch.no_grad():
            answer = net(part.inputs, part.classical, part.conditions)
            gains.append(base_loss(answer, part, loss) - loss(answer, part.truth, part.weight))
    return float(torch.cat(gains).mean())


def base_loss(answer: Tensor, batch: Batch, loss: Loss) -> Tensor:
    """Loss (n,) of the classical answer; planes that only the net has are zero in it."""
    missing = answer.shape[1] - batch.classical.shape[1]
    zeros = torch.zeros_like(answer[:, :missing])
    return loss(torch.cat([batch.classical, zeros], 1), batch.truth, batch.weight)


def rate_at(fit: Fit, step: int) -> float:
    """The learning rate of a step: rising, then falling along a cosine to nothing."""
    rising = min(1.0, (step + 1) / min(WARM_UP, max(fit.steps // 4, 1)))
    return fit.rate * fit.factor * rising * 0.5 * (1 + float(np.cos(np.pi * step / fit.steps)))


def _one_step(fit: Fit) -> dict[str, Any]:
    """One step of the optimiser; what went wrong, if anything did."""
    step, task = fit.step, fit.task
    fit.step += 1
    if step in fit.skipped:
        return {}
    batch = batch_at(task.train, task.sampling, step).to(task.device)
    for group in fit.optimiser.param_groups:
        group["lr"] = rate_at(fit, step)
    answer = fit.net(batch.inputs, batch.classical, batch.conditions)
    losses = task.loss(answer, batch.truth, batch.weight)
    with torch.no_grad():
        relative = losses - base_loss(answer, batch, task.loss)
    if cause := fit.guard.spike(float(relative.mean().item())):
        return {"step": step, "cause": cause, **blame(batch.numbers, relative, batch.inputs, task.train.seeds)}
    if task.adversary is not None:
        losses = losses + task.adversary.loss(answer, batch)
    fit.optimiser.zero_grad()
    losses.mean().backward()  # type: ignore[no-untyped-call]
    norm = float(nn.utils.clip_grad_norm_(fit.net.parameters(), task.settings.clip))
    fit.clipped += norm > task.settings.clip
    fit.optimiser.step()
    if task.adversary is not None:
        task.adversary.learn(answer, batch, step)
    if step % 10 == 0:
        fit.curve.append({"step": step, "train_gain": -float(relative.mean().item()), "gradient_norm": norm})
    return {}


def _validate(fit: Fit) -> dict[str, Any]:
    """Look at the fixed probe and at the validation set; keep the best weights."""
    probe = whole(fit.task.validation.at(slice(0, PROBE))).to(fit.task.device)
    with torch.no_grad():
        cause = collapsed(fit.net(probe.inputs, probe.classical, probe.conditions), probe.truth)
    if cause:
        return {"step": fit.step - 1, "cause": cause, "examples": list(probe.numbers)}
    gain = gain_on(fit.net, fit.task.validation, fit.task.loss, fit.task.device)
    fit.curve.append({"step": fit.step, "validation_gain": gain})
    if fit.best is None or gain > fit.best[0]:
        fit.best = (gain, copy.deepcopy(fit.net.state_dict()))
    return {}


def _revert(fit: Fit, good: State, event: dict[str, Any]) -> None:
    """Back to the last good state with half the rate; the third time the training has failed."""
    fit.guard.events.append(event)
    if fit.guard.failed:
        events = "; ".join(f"step {e['step']}: {e['cause']} (examples {e['examples']})" for e in fit.guard.events)
        raise Hopeless(f"the training was reverted {len(fit.guard.events)} times and has failed: {events}")
    log.warning("training reverted at step %d: %s; examples %s", event["step"], event["cause"], event["examples"])
    fit.go_back(good, keep_events=True)
    fit.factor *= 0.5
    fit.skipped.add(int(event["step"]))


def verdict(fit: Fit) -> str:
    """In one word, from the gains over the classical answer at the end: fits, underfits, overfits or stuck."""
    training = [row["train_gain"] for row in fit.curve if "train_gain" in row]
    validated = [row["validation_gain"] for row in fit.curve if "validation_gain" in row]
    if not training or not validated:
        return "stuck"
    late, held = float(np.mean(training[-20:])), max(validated)
    unit = fit.task.unit
    if late < 0.05 * unit and held < 0.05 * unit:
        return "stuck" if abs(late) < 0.02 * unit else "underfits"
    return "overfits" if held < 0.4 * late else "fits"
