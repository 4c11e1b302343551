"""The joint solve: a batch of frames from scratch, or against the sums of others, one resumable step at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.likelihood import CHUNK, Problem, Slope, Sums, slope
from tasks.numerics.pupil import otfs, ring_mean, rings
from tasks.numerics.sky import floor_of, power_law, renew_power

MEMORY = (0.9, 0.99)  # Adam's memory of the gradient and of its square


@dataclass(frozen=True)
class Schedule:
    """How long and how hot a solve runs."""

    steps: int = 300
    """Steps of Adam."""
    rate: float = 0.05
    """Length of the first step, rad; falls as a cosine to zero."""
    hot: float = 10.0
    """Temperature at the start: the noise power is multiplied by it, so that coarse structure settles first."""
    cooling: float = 0.6
    """Fraction of the steps over which the temperature falls geometrically to 1."""
    renew: int = 15
    """The sky's ring prior follows every so many steps; 0 holds it."""
    evidence: float = 0.0
    """0 takes the best sky, 1 integrates over all skies the data allow (see likelihood.loss_of)."""


@dataclass(frozen=True)
class State:
    """Everything a solve needs to go on: it can be stored between any two steps."""

    phases: Tensor
    """(frame, mode) rad."""
    first: Tensor
    """(frame, mode) Adam's mean of the gradient."""
    second: Tensor
    """(frame, mode) Adam's mean of its square."""
    sky_power: Tensor
    """(ring,) power of the sky per coefficient."""
    step: int = 0


@dataclass(frozen=True)
class Solution:
    """What a solve leaves of a batch."""

    phases: Tensor
    """(frame, mode) rad."""
    sums: Sums
    """A and B of this batch alone."""
    sky_power: Tensor
    """(ring,) power of the sky per coefficient."""
    loss: float
    """Minus log-likelihood at temperature 1, nats; comparable between solves of the same frames."""


def temperature(schedule: Schedule, step: int) -> float:
    """By how much the noise power is multiplied at `step`."""
    done = step / max(1.0, schedule.cooling * schedule.steps)
    return max(1.0, float(schedule.hot ** (1.0 - done)))


def draw(frames: int, spread: Tensor, seed: int, tilt: float = 0.1) -> Tensor:
    """Phases (frame, mode) from the air's law, `spread` (mode,) in rad; aligned frames keep `tilt` of tip and tilt."""
    dice = torch.Generator().manual_seed(seed)
    unit = torch.randn(frames, len(spread), generator=dice).to(spread.device)
    unit[:, :2] *= tilt
    return unit * spread


def faint(frames: int, spread: Tensor, seed: int, size: float = 1e-2) -> Tensor:
    """Cold start: phases of `size` rad, which break the symmetry and assume nothing of the air."""
    dice = torch.Generator().manual_seed(seed)
    return size * torch.randn(frames, len(spread), generator=dice).to(spread.device)


def begin(problem: Problem, phases: Tensor, sky_power: Tensor | None = None) -> State:
    """State before the first step; without `sky_power` the prior starts as a power law."""
    if sky_power is None:
        sky_power = power_law(problem.spectra.mean(0))
    return State(phases, torch.zeros_like(phases), torch.zeros_like(phases), sky_power)


def everything(problem: Problem, own: Sums) -> Sums:
    """The batch's sums with those of the frames held fixed."""
    return own if problem.others is None else own + problem.others


def at(problem: Problem, phases: Tensor, sky_power: Tensor, noise: float, evidence: float = 0.0) -> Slope:
    """Loss, gradient and sums at `phases`."""
    level = torch.tensor(noise, device=phases.device)
    return slope(problem, phases, level, floor_of(sky_power, noise, problem.eye.size), evidence)


def advance(problem: Problem, state: State, spread: Tensor, noise: float, schedule: Schedule) -> State:
    """One step of Adam on likelihood and air prior N(0, spread^2)."""
    hot = noise * temperature(schedule, state.step)
    here = at(problem, state.phases, state.sky_power, hot, schedule.evidence)
    gradient = here.phases + state.phases / spread**2
    first = MEMORY[0] * state.first + (1 - MEMORY[0]) * gradient
    second = MEMORY[1] * state.second + (1 - MEMORY[1]) * gradient**2
    done = state.step + 1
    pace = schedule.rate * 0.5 * (1 + math.cos(math.pi * state.step / schedule.steps))
    push = (first / (1 - MEMORY[0] ** done)) / ((second / (1 - MEMORY[1] ** done)).sqrt() + 1e-12)
    phases = state.phases - pace * push
    if problem.others is None:  # alone, tilt and the sky's position are one: the mean tilt is pinned to zero
        phases = torch.cat([phases[:, :2] - phases[:, :2].mean(0), phases[:, 2:]], 1)
    power = state.sky_power
    if schedule.renew and done % schedule.renew == 0:
        power = renew_power(everything(problem, here.sums), power, hot)
    return State(phases, first, second, power, done)


def finish(problem: Problem, state: State, noise: float, evidence: float = 0.0, turns: int = 5) -> Solution:
    """The solution at temperature 1; `turns` of the ring prior, 0 where it is held."""
    own = at(problem, state.phases, state.sky_power, noise, evidence).sums
    power = renew_power(everything(problem, own), state.sky_power, noise, turns)
    here = at(problem, state.phases, power, noise, evidence)
    return Solution(state.phases, here.sums, power, here.loss)


def solve(problem: Problem, state: State, spread: Tensor, noise: float, schedule: Schedule) -> Solution:
    """Run what is left of the schedule: from scratch (`others` None) or a batch against the sums of others."""
    while state.step < schedule.steps:
        state = advance(problem, state, spread, noise, schedule)
    return finish(problem, state, noise, schedule.evidence, 5 if schedule.renew else 0)


def mean_power(problem: Problem, phases: Tensor) -> Tensor:
    """Mean |H|^2 per ring (ring,) of the estimated PSFs, for `sky.tie`."""
    total = torch.zeros(problem.eye.size, problem.eye.size // 2 + 1, device=phases.device)
    for start in range(0, len(phases), CHUNK):
        transfer = otfs(problem.eye, phases[start : start + CHUNK])
        if problem.veil is not None:
            transfer = transfer * problem.veil
        total += (transfer.real**2 + transfer.imag**2).sum(0)
    return ring_mean(total / len(phases), rings(problem.eye.size, phases.device))
