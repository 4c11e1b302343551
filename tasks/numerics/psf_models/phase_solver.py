"""The joint solve: a batch of frames from scratch, or against the sums of others, one resumable step at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.sky.likelihood import Problem, Slope, slope
from tasks.numerics.sky.wiener import floor_of, loosened, power_law, ring_power

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


def begin(problem: Problem, phases: Tensor, sky_power: Tensor | None = None) -> State:
    """State before the first step; without `sky_power` the prior starts as a power law."""
    if sky_power is None:
        sky_power = power_law(problem.spectra.mean(0))
    return State(phases, torch.zeros_like(phases), torch.zeros_like(phases), sky_power)


def at(problem: Problem, phases: Tensor, sky_power: Tensor, noise: float) -> Slope:
    """Loss, gradient and sums at `phases`; the best sky is taken."""
    level = torch.tensor(noise, device=phases.device)
    return slope(problem, phases, level, floor_of(sky_power, noise, problem.eye.size))


def advance(problem: Problem, state: State, spread: Tensor, noise: float, schedule: Schedule) -> State:
    """One step of Adam on likelihood and air prior N(0, spread^2)."""
    hot = noise * temperature(schedule, state.step)
    here = at(problem, state.phases, state.sky_power, hot)
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
        power = ring_power(here.sums if problem.others is None else here.sums + problem.others, hot)
        if hot > noise:
            power = loosened(power, problem.eye.size)
    return State(phases, first, second, power, done)
