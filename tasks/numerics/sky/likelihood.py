"""The likelihood of the frames given their phases, with the sky eliminated, and its analytic gradient."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.lattice import WHOLE, Lattice, inner
from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.fourier.sampling import FULL, Sampling, gather, masked, neighbours, scatter
from tasks.numerics.optics.propagation import Propagation, by_columns, by_rows
from tasks.numerics.optics.pupil import Pupil, band_limited
from tasks.numerics.sky.aliases import Scaled, diagonal_of, folded_loss, folded_power, times_band


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
    lattice: Lattice = WHOLE
    """The frequencies that they are of."""

    def __add__(self, other: Sums) -> Sums:
        power, cross, frames = self.power + other.power, self.cross + other.cross, self.frames + other.frames
        return Sums(power, cross, frames, self.sampling, self.lattice)

    def __sub__(self, other: Sums) -> Sums:
        power, cross, frames = self.power - other.power, self.cross - other.cross, self.frames - other.frames
        return Sums(power, cross, frames, self.sampling, self.lattice)

    @property
    def size(self) -> int:
        """Side of the canvas, px."""
        return int(self.power.shape[-2]) * self.lattice.stride * self.sampling.period

    def of(self, lattice: Lattice) -> Sums:
        """Those of some of the frequencies."""
        return Sums(lattice.of(self.power), lattice.of(self.cross), self.frames, self.sampling, lattice)

    @property
    def own_power(self) -> Tensor:
        """(y, x//2+1) sum of |H|^2 over the frames, times the density of the sampling."""
        return self.power if self.sampling.is_full else diagonal_of(self.power, self.sampling)

    @property
    def own_cross(self) -> Tensor:
        """(y, x//2+1) B on the half-plane."""
        return self.cross if self.sampling.is_full else scatter(self.cross, self.sampling.period)

    def inner(self, size: int) -> Sums:
        """Those of the coarse frequencies that a canvas of `size` wider pixels has; of a mosaic only all of them."""
        if size == self.size:
            return self
        return Sums(inner(self.power, size), inner(self.cross, size), self.frames, self.sampling)

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
    return _added([(by_columns(spectra), by_columns(transfer.conj()).resolve_conj())], sampling, WHOLE)


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
    """Best sky spectrum (y, x//2+1) under a Gaussian prior: (A + g)^-1 B, g = noise / sky power; on the sums' lattice."""
    if total.sampling.is_full:
        return total.cross / (total.power + floor)
    scaled = Scaled(total.power, floor, total.sampling, lattice=total.lattice)
    return scatter(scaled.solve(total.cross), total.sampling.period, total.lattice)


def band_limited_sums(pupil: Pupil, total: Sums) -> Sums:
    """The sums without the little that PSFs on a smaller square leak beyond the cut-off.

    Limiting them once limits the sky, and with it every derivative.
    """
    lattice = total.lattice
    if total.sampling.is_full:
        power, cross = band_limited(pupil, total.power, lattice), band_limited(pupil, total.cross, lattice)
    else:
        open_band = torch.ones(total.size, total.size // 2 + 1, device=total.power.device)
        band = band_limited(pupil, lattice.of(open_band), lattice)
        power, cross = times_band(total.power, total.cross, band, total.sampling, lattice)
    return Sums(power, cross, total.frames, total.sampling, lattice)


def gradient(problem: Problem, phases: Tensor, noise: Tensor, floor: Tensor) -> Gradient:
    """Loss and gradient at `phases` (frame, mode), with the best sky for these phases substituted."""
    own = _own_sums(problem, phases, WHOLE)
    total = own if problem.others is None else own + problem.others
    by_phase = _by_phase(problem, total, noise, floor)
    return Gradient(float(loss_of(total, noise, floor, evidence=0.0)), by_phase, own)


def sampled_gradient(problem: Problem, phases: Tensor, noise: Tensor, floor: Tensor, lattice: Lattice) -> Tensor:
    """The gradient (frame, mode) as the frequencies of a lattice alone show it."""
    own = _own_sums(problem, phases, lattice)
    total = own if problem.others is None else own + problem.others.of(lattice)
    return _by_phase(problem, total, lattice.of(noise), lattice.of(floor)) * lattice.stride**2


def _by_phase(problem: Problem, total: Sums, noise: Tensor, floor: Tensor) -> Tensor:
    """The derivative (frame, mode) of the misfit of the best sky by the phases whose transfer functions the optics hold."""
    optics, lattice = problem.propagation, total.lattice
    misfit, spectra = Misfit(best_sky(total, floor), noise, problem.sampling, lattice), problem.columns(lattice)
    grads = []
    for frames in optics.chunks():
        derivative = misfit.derivative(spectra[frames], optics.transfer_kept(frames))
        grads.append(optics.phase_gradient(frames, derivative, lattice))
    return torch.cat(grads)


def _own_sums(problem: Problem, phases: Tensor, lattice: Lattice) -> Sums:
    """A and B of a problem's frames, band-limited, on a lattice; their transfer functions stay in its `propagation`."""
    optics, spectra = problem.propagation, problem.columns(lattice)
    chunks = ((spectra[here], optics.conjugate_transfer(here, phases[here], lattice)) for here in optics.chunks())
    return band_limited_sums(problem.pupil, _added(chunks, problem.sampling, lattice))


def _added(chunks: Iterable[tuple[Tensor, Tensor]], sampling: Sampling, lattice: Lattice) -> Sums:
    """A and B of chunks of spectra with their conj(H), both (frame, x//2+1, y) on a lattice."""
    adding = None
    for spectra, transfer in chunks:
        adding = adding or _Adding(spectra[0], sampling, lattice)
        adding.add(spectra, transfer)
    assert adding is not None, "sums of no frames"
    return adding.sums()


class _Adding:
    """A and B as they grow, laid out as the optics leave spectra."""

    def __init__(self, spectrum: Tensor, sampling: Sampling, lattice: Lattice) -> None:
        """Nothing yet; `spectrum` (x//2+1, y) shows size and kind."""
        size, device = spectrum.shape[-1] * lattice.stride, str(spectrum.device)
        self._sampling, self._lattice, self._frames = sampling, lattice, 0
        self._cross, self._squares = torch.zeros_like(spectrum), torch.zeros_like(real_view(spectrum))
        self._mixed = [(each, torch.zeros_like(spectrum)) for each in neighbours(size, sampling, lattice, device)]

    def add(self, spectra: Tensor, transfer: Tensor) -> None:
        """Some frames more, with their conj(H)."""
        self._frames += len(spectra)
        for one, frame in zip(transfer, spectra, strict=True):  # a sum over frames at once would need memory
            self._squares.addcmul_(real_view(one), real_view(one))
            self._cross.addcmul_(one, frame)
            for neighbour, total in self._mixed:
                total.addcmul_(one, neighbour.of(one).conj())

    def sums(self) -> Sums:
        """What has been added."""
        power, cross = by_rows(self._squares.view(*self._cross.shape, 2).sum(-1)), by_rows(self._cross)
        if not self._sampling.is_full:
            mixed = [(neighbour, by_rows(total)) for neighbour, total in self._mixed]
            power = folded_power(power, mixed, self._sampling, self._lattice)
            cross = gather(cross, self._sampling.period, self._lattice)
        return Sums(power, cross, self._frames, self._sampling, self._lattice)


class Misfit:
    """The derivative of a fixed sky's squared residuals over the noise by the transfer functions."""

    def __init__(self, sky: Tensor, noise: Tensor, sampling: Sampling = FULL, lattice: Lattice = WHOLE) -> None:
        """`sky` (y, x//2+1) on a lattice; `noise` is its power per coefficient."""
        columns, size = by_columns(sky), sky.shape[-2] * lattice.stride
        over_noise = columns.conj() / by_columns(noise) if noise.ndim else columns.conj() / noise
        self._by_frame = (-over_noise).resolve_conj()
        power = sampling.density * (columns * over_noise).real
        self._by_transfer = torch.stack([power, -power], -1).flatten(-2)  # conjugates while it multiplies
        near = neighbours(size, sampling, lattice, str(sky.device))
        self._by_neighbour = [(each, (each.weight * each.of(columns) * over_noise).resolve_conj()) for each in near]

    def derivative(self, spectra: Tensor, conjugate_transfer: Tensor) -> Tensor:
        """(H X - Y) conj(X) / noise of frames Y, from conj(H); all (frame, x//2+1, y)."""
        derivative = spectra * self._by_frame
        real_view(derivative).addcmul_(real_view(conjugate_transfer), self._by_transfer)
        for neighbour, by_transfer in self._by_neighbour:
            derivative.addcmul_(neighbour.of(conjugate_transfer).conj(), by_transfer)
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
