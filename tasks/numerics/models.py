"""The table of PSF models: each begins a batch, advances it by so many steps, and says what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tasks.numerics.air import noll_variances
from tasks.numerics.bootstrap import Schedule, State, advance, draw, start
from tasks.numerics.likelihood import Problem, Sums, sums
from tasks.numerics.pupil import Pupil, otfs, pupil

CHUNK = 8

Memory = dict[str, Tensor]
"""Everything a solve needs to go on: named arrays that can be stored between any two steps."""


@dataclass(frozen=True)
class Batch:
    """Frames to be solved together, and what is known around them."""

    spectra: Tensor
    """(frame, y, x//2+1) complex spectra on the canvas."""
    diameter: float
    """Pupil diameter in cells of the canvas."""
    obstruction: float
    d_over_r0: float
    noise: float
    """Noise power per coefficient."""
    others: Sums | None
    """A and B of frames held fixed; None solves this batch on its own."""
    sky: Tensor
    """(y, x//2+1) the last sky's spectrum."""
    sky_power: Tensor | None
    """(ring,) power of the sky, where a round before found it."""


@dataclass(frozen=True)
class Plan:
    """How hard to try."""

    modes: int
    steps: int
    rate: float
    temperature: float
    seed: int


@dataclass(frozen=True)
class Solved:
    """What came out of a batch."""

    psfs: Tensor
    """(frame, ...) the parameters of every PSF: phases (mode,) or pixels (y, x)."""
    sums: Sums
    """A and B of these frames."""
    halves: Sums
    """A and B of every second one of them."""


class Model(NamedTuple):
    """One row of the table."""

    begin: Callable[[Batch, Plan], Memory]
    advance: Callable[[Batch, Plan, Memory, int], Memory]
    """Go on for so many steps."""
    finish: Callable[[Batch, Plan, Memory], Solved]


def _eye(batch: Batch, plan: Plan) -> Pupil:
    return pupil(batch.spectra.shape[-2], batch.diameter, batch.obstruction, plan.modes).to(batch.spectra.device)


def _spread(batch: Batch, plan: Plan) -> Tensor:
    variance = torch.from_numpy(noll_variances(plan.modes) * batch.d_over_r0 ** (5 / 3))
    return variance.sqrt().float().to(batch.spectra.device)


def _begin_pupil(batch: Batch, plan: Plan) -> Memory:
    """Phases drawn from the air's law, tilt nearly none: starting flat makes every PSF too sharp and every sky too soft."""
    spread = _spread(batch, plan)
    scale = torch.ones_like(spread)
    scale[:2] = 0.1
    state = start(
        Problem(_eye(batch, plan), batch.spectra, batch.others), draw(len(batch.spectra), spread, scale, plan.seed)
    )
    power = state.sky_power if batch.sky_power is None else batch.sky_power
    return {
        "phases": state.phases,
        "first": state.first,
        "second": state.second,
        "sky_power": power,
        "step": torch.tensor(0),
    }


def _advance_pupil(batch: Batch, plan: Plan, memory: Memory, steps: int) -> Memory:
    schedule = Schedule(steps=plan.steps, rate=plan.rate, hot=plan.temperature, evidence=0.0, prior="gauss")
    problem = Problem(_eye(batch, plan), batch.spectra, batch.others)
    step = int(memory["step"])
    state = State(memory["phases"], memory["first"], memory["second"], memory["sky_power"], step)
    spread = _spread(batch, plan)
    for _ in range(steps):
        state = advance(problem, state, spread, batch.noise, schedule)
    return {
        "phases": state.phases,
        "first": state.first,
        "second": state.second,
        "sky_power": state.sky_power,
        "step": torch.tensor(state.step),
    }


def _finish_pupil(batch: Batch, plan: Plan, memory: Memory) -> Solved:
    eye, phases = _eye(batch, plan), memory["phases"]
    parts = [
        sums(batch.spectra[i : i + CHUNK : skip], otfs(eye, phases[i : i + CHUNK : skip]))
        for skip in (1, 2)
        for i in range(0, len(phases), CHUNK)
    ]
    count = len(parts) // 2
    return Solved(phases, _total(parts[:count]), _total(parts[count:]))


def _total(parts: list[Sums]) -> Sums:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


MODELS: dict[str, Model] = {"pupil": Model(_begin_pupil, _advance_pupil, _finish_pupil)}
