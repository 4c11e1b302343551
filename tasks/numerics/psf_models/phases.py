"""PSFs from pupil phases: Zernike weights of every frame, fitted jointly with the sky eliminated."""

from __future__ import annotations

import functools
import operator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.canvas import sufficient_size
from tasks.numerics.fourier.lattice import inner
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import noll_variances, phase_sigma
from tasks.numerics.optics.propagation import CHUNK
from tasks.numerics.optics.pupil import Pupil, make_pupil, otfs, pupil_in_air, tilt
from tasks.numerics.optics.pupil import psfs as psfs_of
from tasks.numerics.psf_models import phase_solver
from tasks.numerics.psf_models.base import PORTRAIT_SAMPLING, Batch, Image, Memory, Plan, Solved
from tasks.numerics.psf_models.phase_solver import Schedule, State, draw_phases
from tasks.numerics.sky.likelihood import Problem, sums
from tasks.numerics.sky.wiener import power_law

STORED = ("phases", "first", "second", "sky_power")


def begin(batch: Batch, plan: Plan) -> Memory:
    """Phases drawn from Kolmogorov statistics: from flat phases every PSF would become too sharp, every sky too soft.

    A part of a batch takes its rows of the whole batch's draw, so that its start does not depend on the division.
    """
    count = len(batch.spectra)
    rows = count if plan.drawn_rows is None else plan.drawn_rows
    phases = draw_phases(rows, _phase_sigma(batch, plan), plan.seed)[plan.first_row : plan.first_row + count]
    power = power_law(batch.spectra.mean(0) / batch.sampling.density) if batch.sky_power is None else batch.sky_power
    return _stored(phase_solver.begin(phases, power))


def advance(batch: Batch, plan: Plan, memory: Memory, steps: int) -> Memory:
    """So many steps of the joint solve."""
    schedule = Schedule(steps=plan.steps, rate=plan.rate, hot=plan.temperature)
    problem, sigma = _problem(batch, plan), _phase_sigma(batch, plan)
    state = State(memory["phases"], memory["first"], memory["second"], memory["sky_power"], int(memory["step"]))
    for _ in range(steps):
        state = phase_solver.advance(problem, state, sigma, batch.noise, schedule)
    return _stored(state)


def finish(batch: Batch, plan: Plan, memory: Memory) -> Solved:
    """The phases and their sums."""
    pupil, phases = _pupil(batch, plan), memory["phases"]
    blocks = (slice(start, start + CHUNK) for start in range(0, len(phases), CHUNK))
    parts = (sums(batch.spectra[block], otfs(pupil, phases[block]), batch.sampling) for block in blocks)
    return Solved(phases, functools.reduce(operator.add, parts))


def carried(psfs: Tensor, wavelength_ratio: float) -> Tensor:
    """Phases (frame, mode) of the same optical paths in other light: as many times more radians as it is shorter."""
    return psfs * wavelength_ratio


def transfer_functions(psfs: Tensor, aperture: Aperture, size: int, d_over_r0: float) -> Tensor:
    """Transfer functions (frame, y, x//2+1) on a canvas of `size` of phases (frame, mode)."""
    return otfs(pupil_in_air(size, aperture, psfs.shape[1], d_over_r0).to(psfs.device), psfs)


def shifted(psfs: Tensor, shift: tuple[float, float], aperture: Aperture, size: int) -> Tensor:
    """Phases (frame, mode) of the same PSFs shifted by (dy, dx) px: tip and tilt added."""
    return psfs + tilt(make_pupil(size, aperture, psfs.shape[1]), shift).to(psfs.device)


def portraits(psfs: Image, aperture: Aperture, side: int) -> Image:
    """PSFs (frame, side, side) of phases (frame, mode), without tip and tilt, PORTRAIT_SAMPLING pixels per wavelength / D."""
    fine = Aperture(side / PORTRAIT_SAMPLING, aperture.obstruction)
    pupil = make_pupil(side, fine, psfs.shape[1])
    return np.concatenate([_portraits(pupil, psfs[i : i + 2 * CHUNK]) for i in range(0, len(psfs), 2 * CHUNK)])


def diffraction_portrait(aperture: Aperture, size: int, side: int) -> Image:
    """The diffraction-limited PSF (side, side), sampled as the portraits are."""
    return portraits(np.zeros((1, 3), np.float32), aperture, side)[0]


def strengths(psfs: Image) -> NDArray[np.float64]:
    """D/r0 (frame,) of phases (frame, mode) by Kolmogorov statistics, tip and tilt left out."""
    if psfs.shape[1] < 3:
        return np.full(len(psfs), np.nan)
    ratio = (psfs[:, 2:].astype(np.float64) ** 2).sum(axis=1) / noll_variances(psfs.shape[1])[2:].sum()
    return np.asarray(ratio**0.6)


def _portraits(pupil: Pupil, phases: Image) -> Image:
    level = torch.from_numpy(np.array(phases, np.float32))
    level[:, :2] = 0  # tip and tilt move a PSF without blurring it
    shapes = psfs_of(pupil, torch.cat([torch.zeros(1, level.shape[1]), level]))
    return np.asarray(torch.fft.fftshift(shapes[1:] / shapes[0].max(), dim=(-2, -1)).numpy(), np.float32)


def _pupil(batch: Batch, plan: Plan, size: int = 0) -> Pupil:
    return pupil_in_air(size or batch.size, batch.aperture, plan.modes, batch.d_over_r0).to(batch.spectra.device)


def _problem(batch: Batch, plan: Plan) -> Problem:
    """The frames on the smallest canvas that holds the telescope's frequencies: others tell nothing about phases.

    The aliases of a mosaic lie beyond them, too.
    """
    size = sufficient_size(batch.size, batch.aperture.diameter_cells) if batch.sampling.is_full else batch.size
    others = None if batch.others is None else batch.others.inner(size)
    return Problem(_pupil(batch, plan, size), inner(batch.spectra, size), others, batch.sampling)


def _phase_sigma(batch: Batch, plan: Plan) -> Tensor:
    return torch.from_numpy(phase_sigma(plan.modes, batch.d_over_r0)).to(batch.spectra.device)


def _stored(state: State) -> Memory:
    return {**{name: getattr(state, name) for name in STORED}, "step": torch.tensor(state.step)}
