"""How well phases explain the frames once the sky is eliminated, and the gradient by hand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.optics.pupil import (
    Pupil,
    cells_of,
    fields,
    intensity,
    light,
    multiplicity,
    passed,
    pictures_of,
    spectra_of,
)

CHUNK = 8  # frames per transform: more of them spill the cache and halve the speed


@dataclass(frozen=True)
class Sums:
    """All that the sky ever needs of a set of frames; sums of disjoint sets add up."""

    power: Tensor
    """(y, x//2+1) A = sum of |H|^2."""
    cross: Tensor
    """(y, x//2+1) B = sum of conj(H) Y, complex."""
    frames: int
    """How many frames are summed."""

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.power + other.power, self.cross + other.cross, self.frames + other.frames)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.power - other.power, self.cross - other.cross, self.frames - other.frames)


def sums(spectra: Tensor, transfer: Tensor) -> Sums:
    """A and B of frames whose spectra Y and transfer functions H, both (frame, y, x//2+1), are given."""
    power = (transfer.real**2 + transfer.imag**2).sum(0)
    return Sums(power, (transfer.conj() * spectra).sum(0), len(spectra))


def loss_of(total: Sums, noise: Tensor, floor: Tensor, evidence: float = 1.0) -> Tensor:
    """Minus the log-likelihood of frames whose sums are given, up to what no phase can change.

    `noise` is the noise power per coefficient, `floor` g = noise / sky power, both (y, x//2+1) or scalar.
    evidence=1 integrates over all skies that the data allow (a log-determinant, without which sharp PSFs are
    rewarded for amplifying the sky); evidence=0 takes the best sky only.
    """
    held = total.power + floor
    cross = total.cross.real**2 + total.cross.imag**2
    weight = multiplicity(held.shape[-2], held.device)
    return (weight * (evidence * torch.log(held) - cross.double() / (held * noise))).sum()


@dataclass(frozen=True)
class Slope:
    """A loss with its gradient."""

    loss: float
    """Minus log-likelihood, nats."""
    phases: Tensor
    """(frame, mode) its derivative by each phase."""
    sums: Sums
    """A and B of these frames alone."""


@dataclass(frozen=True)
class Problem:
    """One batch of frames to be explained."""

    eye: Pupil
    spectra: Tensor
    """(frame, y, x//2+1) complex spectra of the frames."""
    others: Sums | None = None
    """A and B of frames held fixed; None solves this batch on its own."""


def slope(problem: Problem, phases: Tensor, noise: Tensor, floor: Tensor) -> Slope:
    """Loss and gradient at `phases` (frame, mode), the best sky put back in."""
    eye, spectra = problem.eye, problem.spectra
    kept, parts = [], []
    for start in range(0, len(phases), CHUNK):
        cells = cells_of(eye, phases[start : start + CHUNK])
        field = fields(eye, cells)
        transfer = spectra_of(eye, intensity(eye, field))
        parts.append(sums(spectra[start : start + CHUNK], transfer))
        kept.append((cells, field, transfer))
    own = parts[0]
    for part in parts[1:]:
        own = own + part
    own = Sums(passed(eye, own.power), passed(eye, own.cross), own.frames)  # once, and with it the sky and every force
    total = own if problem.others is None else own + problem.others
    held = total.power + floor
    sky = total.cross / held
    pull = sky.conj() / noise
    grads = []
    for i, (cells, field, transfer) in enumerate(kept):
        data = spectra[i * CHUNK : (i + 1) * CHUNK]
        force = (sky * transfer - data) * pull
        grads.append(pull_back(eye, cells, field, force))
    return Slope(float(loss_of(total, noise, floor, evidence=0.0)), torch.cat(grads), own)


def pull_back(eye: Pupil, cells: Tensor, field: Tensor, force: Tensor) -> Tensor:
    """Gradient by phases (frame, mode) of a loss whose derivative by conj(H), over the half-plane, is `force`."""
    by_psf = pictures_of(eye, force) * (eye.size**2 / light(eye))
    columns = torch.fft.ifft(field * by_psf, dim=-2)[:, : eye.box]
    square = torch.fft.ifft(columns, dim=-1)[:, :, : eye.box].reshape(len(cells), -1)[:, eye.cells]
    by_cell = (2.0 * eye.grid**2) * (square * cells.conj()).imag
    by_mode: Tensor = by_cell @ eye.modes.T
    return by_mode


def chi2(spectra: Tensor, transfer: Tensor, sky: Tensor, noise: Tensor, seen: Tensor) -> Tensor:
    """Mean |Y - H X|^2 / noise of each frame over the coefficients that are `seen` (boolean), (frame,)."""
    left = spectra - transfer * sky
    weight = multiplicity(sky.shape[-2], sky.device) * seen
    return ((left.real**2 + left.imag**2) / noise * weight).sum((-2, -1)) / weight.sum()
