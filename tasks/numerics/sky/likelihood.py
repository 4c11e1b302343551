"""The likelihood of the frames given their phases, with the sky eliminated, and its analytic gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.fourier.sampling import FULL, Sampling, masked, scatter
from tasks.numerics.optics.pupil import (
    Pupil,
    amplitudes,
    band_limited,
    intensity,
    phase_gradient,
    pupil_function,
    spectra_of,
)
from tasks.numerics.sky.aliases import Scaled, diagonal_of, fold_sums, folded_loss, times_band

CHUNK = 8
"""Frames per transform: more of them spill the cache and halve the speed."""


@dataclass(frozen=True)
class Sums:
    """Sufficient statistics of a set of frames for the sky; sums of disjoint sets add up."""

    power: Tensor
    """(y, x//2+1) A = sum of |H|^2; of a mosaic matrices over aliases, see aliases.py."""
    cross: Tensor
    """(y, x//2+1) B = sum of conj(H) Y, complex; of a mosaic (alias, m, m//2+1)."""
    frames: int
    """How many frames are summed."""
    sampling: Sampling = FULL
    """The pixels that the frames have, on the canvas."""

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.power + other.power, self.cross + other.cross, self.frames + other.frames, self.sampling)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.power - other.power, self.cross - other.cross, self.frames - other.frames, self.sampling)

    @property
    def size(self) -> int:
        """Side of the canvas, px."""
        return int(self.power.shape[-2]) * self.sampling.period

    @property
    def own_power(self) -> Tensor:
        """(y, x//2+1) sum of |H|^2 over the frames, times the density of the sampling."""
        return self.power if self.sampling.is_full else diagonal_of(self.power, self.sampling)

    @property
    def own_cross(self) -> Tensor:
        """(y, x//2+1) B on the half-plane."""
        return self.cross if self.sampling.is_full else scatter(self.cross, self.sampling.period)

    def on(self, device: torch.device | str) -> Sums:
        """The same sums on another device."""
        return Sums(self.power.to(device), self.cross.to(device), self.frames, self.sampling)


def sums_of_arrays(power: NDArray[Any], cross: NDArray[Any], sampling: Sampling) -> Sums:
    """Sums of stored arrays; A at zero frequency counts the frames."""
    return Sums(torch.from_numpy(power), torch.from_numpy(cross), count_of(power, sampling), sampling)


def count_of(power: NDArray[Any] | Tensor, sampling: Sampling) -> int:
    """How many frames stored sums are of: frames of several starts count once."""
    return round(float(power[(0,) * power.ndim].real) / sampling.density)


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
    sampling: Sampling = FULL
    """The pixels that the frames have, on the canvas."""


def sums(spectra: Tensor, transfer: Tensor, sampling: Sampling = FULL) -> Sums:
    """A and B of frames whose spectra Y and transfer functions H, both (frame, y, x//2+1), are given."""
    if not sampling.is_full:
        return Sums(*fold_sums(spectra, transfer, sampling), len(spectra), sampling)
    power = (transfer.real**2 + transfer.imag**2).sum(0)
    return Sums(power, (transfer.conj() * spectra).sum(0), len(spectra))


def loss_of(total: Sums, noise: Tensor, floor: Tensor, evidence: float = 1.0) -> Tensor:
    """Minus the log-likelihood of frames whose sums are given, up to a term that no phase changes.

    `noise` is the noise power per coefficient, `floor` g = noise / sky power, both (y, x//2+1) or scalar.
    evidence=1 marginalises over all skies that the data allow (a log-determinant, without which sharp PSFs are
    rewarded for amplifying the sky); evidence=0 takes the best sky only.
    """
    if not total.sampling.is_full:
        scaled = Scaled(total.power, floor, total.sampling)
        return folded_loss(scaled, total.cross, noise, evidence)
    held = total.power + floor
    cross = total.cross.real**2 + total.cross.imag**2
    weight = multiplicity(held.shape[-2], held.device)
    return (weight * (evidence * torch.log(held) - cross.double() / (held * noise))).sum()


def best_sky(total: Sums, floor: Tensor) -> Tensor:
    """Best sky spectrum (y, x//2+1) under a Gaussian prior: (A + g)^-1 B, g = noise / sky power."""
    if total.sampling.is_full:
        return total.cross / (total.power + floor)
    return scatter(Scaled(total.power, floor, total.sampling).solve(total.cross), total.sampling.period)


def band_limited_sums(pupil: Pupil, total: Sums) -> Sums:
    """The sums without the little that PSFs on a smaller square leak beyond the cut-off."""
    if total.sampling.is_full:
        power, cross = band_limited(pupil, total.power), band_limited(pupil, total.cross)
    else:
        band = band_limited(pupil, torch.ones(total.size, total.size // 2 + 1, device=total.power.device))
        power, cross = times_band(total.power, total.cross, band, total.sampling)
    return Sums(power, cross, total.frames, total.sampling)


def gradient(problem: Problem, phases: Tensor, noise: Tensor, floor: Tensor) -> Gradient:
    """Loss and gradient at `phases` (frame, mode), with the best sky for these phases substituted."""
    pupil, spectra = problem.pupil, problem.spectra
    chunks, parts = [], []
    for start in range(0, len(phases), CHUNK):
        cells = pupil_function(pupil, phases[start : start + CHUNK])
        amplitude = amplitudes(pupil, cells)
        transfer = spectra_of(pupil, intensity(pupil, amplitude))
        parts.append(sums(spectra[start : start + CHUNK], transfer, problem.sampling))
        chunks.append((cells, amplitude, transfer))
    own = parts[0]
    for part in parts[1:]:
        own = own + part
    # Band-limiting the sums once limits the sky, and with it every derivative.
    own = band_limited_sums(pupil, own)
    total = own if problem.others is None else own + problem.others
    sky = best_sky(total, floor)
    weighted = sky.conj() / noise
    grads = []
    for i, (cells, amplitude, transfer) in enumerate(chunks):
        data = spectra[i * CHUNK : (i + 1) * CHUNK]
        rest = masked(sky * transfer, problem.sampling) - data
        grads.append(phase_gradient(pupil, cells, amplitude, rest * weighted))
    return Gradient(float(loss_of(total, noise, floor, evidence=0.0)), torch.cat(grads), own)


def chi2(
    spectra: Tensor, transfer: Tensor, sky: Tensor, noise: Tensor, used: Tensor, sampling: Sampling = FULL
) -> Tensor:
    """Mean |Y - H X|^2 / noise (frame,) of each frame over the coefficients where `used` (y, x//2+1) is true."""
    rest = spectra - masked(transfer * sky, sampling)
    weight = multiplicity(sky.shape[-2], sky.device) * used
    return ((rest.real**2 + rest.imag**2) / (noise * sampling.density) * weight).sum((-2, -1)) / weight.sum()
