"""The likelihood of the frames given their phases, with the sky eliminated, and its analytic gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.optics.pupil import (
    Pupil,
    amplitudes,
    band_limited,
    intensity,
    phase_gradient,
    pupil_function,
    spectra_of,
)

CHUNK = 8
"""Frames per transform: more of them spill the cache and halve the speed."""


@dataclass(frozen=True)
class Sums:
    """Sufficient statistics of a set of frames for the sky; sums of disjoint sets add up."""

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


@dataclass(frozen=True)
class Gradient:
    """A loss with its gradient."""

    loss: float
    """Minus log-likelihood, nats."""
    phases: Tensor
    """(frame, mode) its derivative by each phase."""
    sums: Sums
    """A and B of these frames alone."""


@dataclass(frozen=True)
class Problem:
    """One batch of frames to be fitted."""

    pupil: Pupil
    spectra: Tensor
    """(frame, y, x//2+1) complex spectra of the frames."""
    others: Sums | None = None
    """A and B of frames held fixed; None solves this batch on its own."""


def sums(spectra: Tensor, transfer: Tensor) -> Sums:
    """A and B of frames whose spectra Y and transfer functions H, both (frame, y, x//2+1), are given."""
    power = (transfer.real**2 + transfer.imag**2).sum(0)
    return Sums(power, (transfer.conj() * spectra).sum(0), len(spectra))


def loss_of(total: Sums, noise: Tensor, floor: Tensor, evidence: float = 1.0) -> Tensor:
    """Minus the log-likelihood of frames whose sums are given, up to a term that no phase changes.

    `noise` is the noise power per coefficient, `floor` g = noise / sky power, both (y, x//2+1) or scalar.
    evidence=1 marginalises over all skies that the data allow (a log-determinant, without which sharp PSFs are
    rewarded for amplifying the sky); evidence=0 takes the best sky only.
    """
    held = total.power + floor
    cross = total.cross.real**2 + total.cross.imag**2
    weight = multiplicity(held.shape[-2], held.device)
    return (weight * (evidence * torch.log(held) - cross.double() / (held * noise))).sum()


def gradient(problem: Problem, phases: Tensor, noise: Tensor, floor: Tensor) -> Gradient:
    """Loss and gradient at `phases` (frame, mode), with the best sky for these phases substituted."""
    pupil, spectra = problem.pupil, problem.spectra
    chunks, parts = [], []
    for start in range(0, len(phases), CHUNK):
        cells = pupil_function(pupil, phases[start : start + CHUNK])
        amplitude = amplitudes(pupil, cells)
        transfer = spectra_of(pupil, intensity(pupil, amplitude))
        parts.append(sums(spectra[start : start + CHUNK], transfer))
        chunks.append((cells, amplitude, transfer))
    own = parts[0]
    for part in parts[1:]:
        own = own + part
    # Band-limiting the sums once limits the sky, and with it every derivative.
    own = Sums(band_limited(pupil, own.power), band_limited(pupil, own.cross), own.frames)
    total = own if problem.others is None else own + problem.others
    sky = total.cross / (total.power + floor)
    weighted = sky.conj() / noise
    grads = []
    for i, (cells, amplitude, transfer) in enumerate(chunks):
        data = spectra[i * CHUNK : (i + 1) * CHUNK]
        grads.append(phase_gradient(pupil, cells, amplitude, (sky * transfer - data) * weighted))
    return Gradient(float(loss_of(total, noise, floor, evidence=0.0)), torch.cat(grads), own)


def chi2(spectra: Tensor, transfer: Tensor, sky: Tensor, noise: Tensor, used: Tensor) -> Tensor:
    """Mean |Y - H X|^2 / noise (frame,) of each frame over the coefficients where `used` (y, x//2+1) is true."""
    rest = spectra - transfer * sky
    weight = multiplicity(sky.shape[-2], sky.device) * used
    return ((rest.real**2 + rest.imag**2) / noise * weight).sum((-2, -1)) / weight.sum()
