"""The joint solve for phases: a batch of frames on its own, or with the sums of others, one resumable step at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.adam import adam_step, cosine_rate
from tasks.numerics.fourier.lattice import QUARTERS, WHOLE, Lattice
from tasks.numerics.sky.likelihood import Gradient, Problem, gradient, sampled_gradient
from tasks.numerics.sky.wiener import flattened_prior, floor_of, ring_power

MOSAIC_ROOM = 9 / 8
"""How much wider than a PSF half a mosaic's canvas has to be: where it just fits, a quarter of the frequencies costs 0.3 dB."""


@dataclass(frozen=True)
class Schedule:
    """Length and annealing of a solve."""

    steps: int = 300
    """Steps of Adam."""
    rate: float = 0.05
    """Size of the first step, rad; falls as half a cosine to zero."""
    hot: float = 10.0
    """Temperature at the start: the noise power is multiplied by it, so that coarse structure settles first."""
    cooling: float = 0.6
    """Fraction of the steps over which the temperature falls geometrically to one."""
    renew: int = 30
    """Steps between two updates of the sky's ring prior; 0 keeps it."""


@dataclass(frozen=True)
class State:
    """The state of a solve; it can be stored between any two steps."""

    phases: Tensor
    """(frame, mode) rad."""
    first: Tensor
    """(frame, mode) Adam's running mean of the gradient."""
    second: Tensor
    """(frame, mode) Adam's running mean of its square."""
    sky_power: Tensor
    """(ring,) power of the sky per coefficient."""
    step: int = 0
    """Steps done."""


def temperature(schedule: Schedule, step: int) -> float:
    """Factor on the noise power at `step`."""
    done = step / max(1.0, schedule.cooling * schedule.steps)
    return max(1.0, float(schedule.hot ** (1.0 - done)))


def draw_phases(frames: int, phase_sigma: Tensor, seed: int, tilt: float = 0.1) -> Tensor:
    """Random phases (frame, mode) with standard deviations `phase_sigma` (mode,) rad.

    Aligned frames keep the fraction `tilt` of tip and tilt.
    """
    dice = torch.Generator().manual_seed(seed)
    unit = torch.randn(frames, len(phase_sigma), generator=dice).to(phase_sigma.device)
    unit[:, :2] *= tilt
    return unit * phase_sigma


def begin(phases: Tensor, sky_power: Tensor) -> State:
    """State before the first step."""
    return State(phases, torch.zeros_like(phases), torch.zeros_like(phases), sky_power)


def gradient_at(problem: Problem, phases: Tensor, sky_power: Tensor, noise: float) -> Gradient:
    """Loss, gradient and sums at `phases`, for a sky of the given ring power."""
    return gradient(problem, phases, *_noise_and_floor(problem, sky_power, noise))


def advance(problem: Problem, state: State, phase_sigma: Tensor, noise: float, schedule: Schedule) -> State:
    """One step of Adam on the likelihood and the phases' prior N(0, phase_sigma^2).

    A step looks at a quarter of the frequencies, at another one in turn, and takes less than half the time: the running
    means of Adam see them all. Where the sky's power is estimated anew it looks at all of them.
    """
    hot, done, power = noise * temperature(schedule, state.step), state.step + 1, state.sky_power
    if schedule.renew and done % schedule.renew == 0:
        here = gradient_at(problem, state.phases, state.sky_power, hot)
        slope = here.phases
        power = ring_power(here.sums if problem.others is None else here.sums + problem.others, hot)
        if hot > noise:
            power = flattened_prior(power, problem.pupil.size)
        power = torch.cat(
            [power, state.sky_power[len(power) :]]
        )  # of frequencies beyond the telescope's nothing is learned
    else:
        level = _noise_and_floor(problem, state.sky_power, hot)
        slope = sampled_gradient(problem, state.phases, *level, _lattice(problem, state.step))
    slope = slope + state.phases / phase_sigma**2
    first, second, direction = adam_step(slope, state.first, state.second, state.step)
    phases = state.phases - cosine_rate(schedule.rate, state.step, schedule.steps) * direction
    if problem.others is None:  # tilt and the sky's position are degenerate: the mean tilt is fixed at zero
        phases = torch.cat([phases[:, :2] - phases[:, :2].mean(0), phases[:, 2:]], 1)
    return State(phases, first, second, power, done)


def _lattice(problem: Problem, step: int) -> Lattice:
    """The frequencies at which a step looks: wide PSFs need all, or their halves would lie on each other."""
    pupil, sampling, quarter = problem.pupil, problem.sampling, QUARTERS[step % len(QUARTERS)]
    room = 1.0 if sampling.is_full else MOSAIC_ROOM
    fits = 2 * room * pupil.grid <= pupil.size and quarter.is_closed(pupil.size, sampling.period)
    return quarter if fits else WHOLE


def _noise_and_floor(problem: Problem, sky_power: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    return torch.tensor(noise, device=sky_power.device), floor_of(sky_power, noise, problem.pupil.size)
