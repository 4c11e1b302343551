"""The likelihood of the frames given their phases, with the sky eliminated, and its analytic gradient."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.lattice import WHOLE, Lattice
from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.fourier.sampling import FULL, Sampling, masked, scatter
from tasks.numerics.optics.propagation import Propagation, by_columns, by_rows
from tasks.numerics.optics.pupil import Pupil, band_limited
from tasks.numerics.sky.aliases import Scaled, diagonal_of, fold_sums, folded_loss, times_band


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

    @functools.cached_property
    def propagation(self) -> Propagation:
        """The optics of the frames, whose memory every gradient uses again."""
        return Propagation(self.pupil, len(self.spectra))

    def columns(self, lattice: Lattice = WHOLE) -> Tensor:
        """(frame, x//2+1, y) the spectra on a lattice as the optics want them."""
        if lattice not in self._columns:
            self._columns[lattice] = by_columns(lattice.of(self.spectra))
        return self._columns[lattice]

    @functools.cached_property
    def _columns(self) -> dict[Lattice, Tensor]:
        return {}


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
    own = _own_sums(problem, phases)
    total = own if problem.others is None else own + problem.others
    by_phase = _by_phase(problem, Misfit(best_sky(total, floor), noise, problem.sampling), WHOLE)
    return Gradient(float(loss_of(total, noise, floor, evidence=0.0)), by_phase, own)


def sampled_gradient(problem: Problem, phases: Tensor, noise: Tensor, floor: Tensor, lattice: Lattice) -> Tensor:
    """The gradient (frame, mode) as the frequencies of a lattice alone show it; a mosaic's aliases belong together: all."""
    if not problem.sampling.is_full:
        return gradient(problem, phases, noise, floor).phases
    power, cross = _band_limited_sums(problem, phases, lattice)
    if problem.others is not None:
        power, cross = power + lattice.of(problem.others.power), cross + lattice.of(problem.others.cross)
    misfit = Misfit(cross / (power + lattice.of(floor)), noise)
    return _by_phase(problem, misfit, lattice) * lattice.stride**2


def _by_phase(problem: Problem, misfit: Misfit, lattice: Lattice) -> Tensor:
    """The derivative (frame, mode) of the misfit by the phases whose transfer functions the optics still hold."""
    optics, spectra = problem.propagation, problem.columns(lattice)
    grads = []
    for frames in optics.chunks():
        derivative = misfit.derivative(spectra[frames], optics.transfer_kept(frames))
        grads.append(optics.phase_gradient(frames, derivative, lattice))
    return torch.cat(grads)


def _own_sums(problem: Problem, phases: Tensor) -> Sums:
    """A and B of a problem's frames, band-limited; their transfer functions stay in its `propagation`."""
    if problem.sampling.is_full:
        return Sums(*_band_limited_sums(problem, phases, WHOLE), len(problem.spectra))
    optics = problem.propagation
    chunks = ((frames, optics.conjugate_transfer(frames, phases[frames])) for frames in optics.chunks())
    total = functools.reduce(
        operator.add, (sums(problem.spectra[frames], by_rows(each).conj(), problem.sampling) for frames, each in chunks)
    )
    return band_limited_sums(problem.pupil, total)


def _band_limited_sums(problem: Problem, phases: Tensor, lattice: Lattice) -> tuple[Tensor, Tensor]:
    """A and B (y, x//2+1) on a lattice: limiting them once limits the sky, and with it every derivative."""
    optics, spectra = problem.propagation, problem.columns(lattice)
    cross = torch.zeros_like(spectra[0])
    squares = torch.zeros_like(real_view(cross))
    for frames in optics.chunks():
        transfer = optics.conjugate_transfer(frames, phases[frames], lattice)
        for one, frame in zip(transfer, spectra[frames], strict=True):  # a sum over frames at once would need memory
            squares.addcmul_(real_view(one), real_view(one))
            cross.addcmul_(one, frame)
    power = squares.view(*cross.shape, 2).sum(-1)
    return band_limited(problem.pupil, by_rows(power), lattice), band_limited(problem.pupil, by_rows(cross), lattice)


class Misfit:
    """The derivative of a fixed sky's squared residuals over the noise by the transfer functions."""

    def __init__(self, sky: Tensor, noise: Tensor, sampling: Sampling = FULL) -> None:
        """`sky` (y, x//2+1); `noise` is its power per coefficient."""
        self._sky, self._sampling = sky, sampling
        self._by_frame = by_columns(sky.conj() / -noise).resolve_conj()
        power = by_columns((sky.real**2 + sky.imag**2) / noise)
        self._by_transfer = torch.stack([power, -power], -1).flatten(-2)  # conjugates while it multiplies

    def derivative(self, spectra: Tensor, conjugate_transfer: Tensor) -> Tensor:
        """(H X - Y) conj(X) / noise of frames Y, from conj(H); all (frame, x//2+1, y)."""
        if not self._sampling.is_full:
            light = masked(self._sky * by_rows(conjugate_transfer).conj(), self._sampling)
            return (spectra - by_columns(light)) * self._by_frame
        derivative = spectra * self._by_frame
        real_view(derivative).addcmul_(real_view(conjugate_transfer), self._by_transfer)
        return derivative


def real_view(values: Tensor) -> Tensor:
    """Complex values (..., x) as real ones (..., 2 x), real and imaginary parts in turns, in the same memory."""
    return torch.view_as_real(values).flatten(-2)


def chi2(
    spectra: Tensor, transfer: Tensor, sky: Tensor, noise: Tensor, used: Tensor, sampling: Sampling = FULL
) -> Tensor:
    """Mean |Y - H X|^2 / noise (frame,) of each frame over the coefficients where `used` (y, x//2+1) is true."""
    rest = spectra - masked(transfer * sky, sampling)
    weight = multiplicity(sky.shape[-2], sky.device) * used
    return ((rest.real**2 + rest.imag**2) / (noise * sampling.density) * weight).sum((-2, -1)) / weight.sum()
