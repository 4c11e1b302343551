"""The joint solve: one batch of frames from scratch, or against the sums of others, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tasks.numerics.likelihood import Problem, Slope, Sums, slope
from tasks.numerics.pupil import Pupil, frequencies, ring_mean, rings
from tasks.numerics.sky import wiener


@dataclass(frozen=True)
class Schedule:
    """How long and how hot a solve runs."""

    steps: int = 300
    rate: float = 0.05
    """Step of Adam at the start, rad; falls as a cosine to zero."""
    hot: float = 10.0
    """Temperature at the start: the noise power is multiplied by it."""
    cooling: float = 0.6
    """Fraction of the steps over which the temperature falls geometrically to 1."""
    renew: int = 15
    """Every so many steps the sky's ring prior is re-estimated."""
    evidence: float = 1.0
    """1 integrates over the skies the data allow, 0 takes the best sky only."""
    prior: str = "shell"
    tie: float = 0.0
    noise_walk: float = 0.0


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
    done = step / max(1, schedule.cooling * schedule.steps)
    return float(max(1.0, schedule.hot ** (1.0 - done)))


def draw(frames: int, spread: Tensor, scale: Tensor, seed: int) -> Tensor:
    """Phases (frame, mode) drawn from the air's law; `scale` shrinks chosen modes."""
    dice = torch.Generator().manual_seed(seed)
    unit = torch.randn(frames, len(spread), generator=dice, dtype=torch.float32)
    return unit.to(spread.device) * spread * scale


def power_law(spectra: Tensor, low: int = 2, high: int = 6, slope_: float = 3.0) -> Tensor:
    """Sky power per ring (ring,): the law f^-3 through the lowest rings of the mean frame, where air hardly dims."""
    size = spectra.shape[-2]
    number = rings(size, spectra.device)
    mean = spectra.mean(0)
    seen = ring_mean(mean.real**2 + mean.imag**2, number)
    ring = torch.arange(len(seen), device=seen.device, dtype=seen.dtype).clamp_min(1)
    level = (seen[low:high] * ring[low:high] ** slope_).log().mean().exp()
    law = level * ring**-slope_
    law[0] = torch.maximum(seen[0], law[0])
    return law


def renew_power(total: Sums, sky_power: Tensor, noise: float, number: Tensor) -> Tensor:
    """Ring average of |X|^2 plus what the data leave open: one turn of expectation-maximisation."""
    floor = noise / sky_power[number]
    sky = wiener(total, floor)
    return ring_mean(sky.real**2 + sky.imag**2 + noise / (total.power + floor), number)


def air_slope(phases: Tensor, spread: Tensor, prior: str) -> Tensor:
    if prior == "gauss":
        return phases / spread**2
    if prior == "shell":
        v = (phases**2).mean(0) / spread**2
        return phases / spread**2 * (1 - 1 / v.clamp_min(1e-4))
    return torch.zeros_like(phases)


def start(problem: Problem, phases: Tensor) -> State:
    return State(phases, torch.zeros_like(phases), torch.zeros_like(phases), power_law(problem.spectra))


def advance(problem: Problem, state: State, spread: Tensor, noise: float, schedule: Schedule) -> State:
    """One step of Adam; every `renew` steps the sky's prior follows."""
    number = rings(problem.eye.size, problem.spectra.device)
    hot = noise * temperature(schedule, state.step)
    floor = hot / state.sky_power[number]
    here = slope(problem, state.phases, torch.tensor(hot), floor, schedule.evidence)
    gradient = here.phases + air_slope(state.phases, spread, schedule.prior)
    first = 0.9 * state.first + 0.1 * gradient
    second = 0.99 * state.second + 0.01 * gradient**2
    t = state.step + 1
    pace = schedule.rate * 0.5 * (1 + math.cos(math.pi * state.step / schedule.steps))
    move = first / (1 - 0.9**t) / ((second / (1 - 0.99**t)).sqrt() + 1e-12)
    phases = state.phases - pace * move
    phases = torch.cat([phases[:, :2] - phases[:, :2].mean(0), phases[:, 2:]], 1)
    power = state.sky_power
    if t % schedule.renew == 0:
        total = here.sums if problem.others is None else here.sums + problem.others
        power = renew_power(total, power, hot, number)
    return State(phases, first, second, power, t)
