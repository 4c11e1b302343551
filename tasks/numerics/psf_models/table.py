"""The table of PSF models: each begins a batch, advances it by so many steps, and says what it found."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks.numerics.fourier.canvas import psf_size
from tasks.numerics.fourier.shifts import ramp
from tasks.numerics.optics.kolmogorov import noll_variances
from tasks.numerics.optics.pupil import Pupil, frequencies, otfs, pupil, tilt
from tasks.numerics.psf_models.phase_solver import Schedule, State, advance, begin, draw
from tasks.numerics.psf_models.pixels import flat_start, psf_turn
from tasks.numerics.sky.likelihood import Problem, Sums, chi2, sums
from tasks.numerics.sky.wiener import floor_of, ring_power, wiener

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
    """Fraction of the diameter."""
    d_over_r0: float
    """Strength of the air."""
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


class Model(NamedTuple):
    """One row of the table."""

    begin: Callable[[Batch, Plan], Memory]
    advance: Callable[[Batch, Plan, Memory, int], Memory]
    """Go on for so many steps."""
    finish: Callable[[Batch, Plan, Memory], Solved]


def pupil_in_air(size: int, eye: tuple[float, float], modes: int, d_over_r0: float) -> Pupil:
    """The pupil on a canvas of `size`, its PSFs on a square as wide as the air spreads them.

    `eye` is (pupil diameter in cells of that canvas, obstruction).
    """
    return pupil(size, *eye, modes, psf_size(size, eye[0], d_over_r0))


def _eye(batch: Batch, plan: Plan) -> Pupil:
    eye, size = (batch.diameter, batch.obstruction), batch.spectra.shape[-2]
    return pupil_in_air(size, eye, plan.modes, batch.d_over_r0).to(batch.spectra.device)


def _spread(batch: Batch, plan: Plan) -> Tensor:
    variance = torch.from_numpy(noll_variances(plan.modes) * batch.d_over_r0 ** (5 / 3))
    return variance.sqrt().float().to(batch.spectra.device)


def _begin_pupil(batch: Batch, plan: Plan) -> Memory:
    """Phases drawn from the air's law: starting flat makes every PSF too sharp and every sky too soft."""
    phases = draw(len(batch.spectra), _spread(batch, plan), plan.seed)
    return _stored(begin(Problem(_eye(batch, plan), batch.spectra, batch.others), phases, batch.sky_power))


def _advance_pupil(batch: Batch, plan: Plan, memory: Memory, steps: int) -> Memory:
    schedule = Schedule(steps=plan.steps, rate=plan.rate, hot=plan.temperature)
    problem = Problem(_eye(batch, plan), batch.spectra, batch.others)
    state = State(memory["phases"], memory["first"], memory["second"], memory["sky_power"], int(memory["step"]))
    spread = _spread(batch, plan)
    for _ in range(steps):
        state = advance(problem, state, spread, batch.noise, schedule)
    return _stored(state)


def _stored(state: State) -> Memory:
    names = ("phases", "first", "second", "sky_power")
    return {**{name: getattr(state, name) for name in names}, "step": torch.tensor(state.step)}


def _finish_pupil(batch: Batch, plan: Plan, memory: Memory) -> Solved:
    eye, phases = _eye(batch, plan), memory["phases"]
    blocks = (slice(start, start + CHUNK) for start in range(0, len(phases), CHUNK))
    parts = (sums(batch.spectra[block], otfs(eye, phases[block])) for block in blocks)
    return Solved(phases, functools.reduce(operator.add, parts))


def _begin_freeform(batch: Batch, plan: Plan) -> Memory:
    """A round blob as wide as the air makes the frames."""
    size = batch.spectra.shape[-2]
    width = max(1.0, 0.4 * size / batch.diameter * batch.d_over_r0)
    return {"psfs": flat_start(len(batch.spectra), size, width, batch.spectra.device)}


def _advance_freeform(batch: Batch, plan: Plan, memory: Memory, steps: int) -> Memory:
    return {"psfs": psf_turn(batch.spectra, batch.sky, memory["psfs"], steps)[0]}


def _finish_freeform(batch: Batch, plan: Plan, memory: Memory) -> Solved:
    transfer = torch.fft.rfft2(memory["psfs"])
    return Solved(memory["psfs"], sums(batch.spectra, transfer))


def misfits(model: str, batch: Batch, solved: Solved) -> Tensor:
    """What is left of each frame (frame,) when the best sky, blurred as found, is taken off: power over the noise, one is
    all that noise leaves."""
    total = solved.sums if batch.others is None else solved.sums + batch.others
    eye, size = (batch.diameter, batch.obstruction), batch.spectra.shape[-2]
    device = batch.spectra.device
    sky = wiener(total, floor_of(ring_power(total, batch.noise), batch.noise, size))
    noise, seen = torch.tensor(batch.noise, device=device), frequencies(size, device) < batch.diameter / size
    parts = []
    for start in range(0, len(batch.spectra), CHUNK):
        block = slice(start, start + CHUNK)
        transfer = transfer_functions(model, solved.psfs[block], eye, size, batch.d_over_r0)
        parts.append(chi2(batch.spectra[block], transfer, sky, noise, seen))
    return torch.cat(parts)


def transfer_functions(model: str, psfs: Tensor, eye: tuple[float, float], size: int, d_over_r0: float) -> Tensor:
    """Transfer functions (frame, y, x//2+1) on a canvas of `size` of PSFs given by a model's parameters.

    `eye` is (pupil diameter in cells of that canvas, obstruction); PSFs that are pixels are laid on the larger canvas.
    """
    if model == "pupil":
        return otfs(pupil_in_air(size, eye, psfs.shape[1], d_over_r0).to(psfs.device), psfs)
    small = psfs.shape[-1]
    centred = torch.fft.fftshift(psfs, dim=(-2, -1))
    wide = torch.zeros(len(psfs), size, size, device=psfs.device)
    low = size // 2 - small // 2
    wide[:, low : low + small, low : low + small] = centred
    return torch.fft.rfft2(torch.fft.ifftshift(wide, dim=(-2, -1)))


def moved(model: str, psfs: Tensor, move: tuple[float, float], eye: tuple[float, float], size: int) -> Tensor:
    """Parameters of the same PSFs moved by (dy, dx) px: a pupil's tip and tilt, the pixels of a free form.

    `eye` is (pupil diameter in cells of a canvas of `size`, obstruction).
    """
    if model == "pupil":
        return psfs + tilt(pupil(size, *eye, psfs.shape[1]), move).to(psfs.device)
    width = psfs.shape[-1]
    away = torch.from_numpy(ramp((width, width), np.array(move, np.float32))).to(psfs.device)
    there = torch.fft.irfft2(torch.fft.rfft2(psfs) * away, s=(width, width)).clamp_min(0)
    return there / there.sum((-2, -1), keepdim=True)


MODELS: dict[str, Model] = {
    "pupil": Model(_begin_pupil, _advance_pupil, _finish_pupil),
    "freeform": Model(_begin_freeform, _advance_freeform, _finish_freeform),
}
