"""Which pixels of a frame belong to one colour, and what leaving out the others does to a spectrum: aliases.

A mask of period s couples the s*s frequencies that lie 1/s cycles per pixel apart. On a canvas of n px, m = n / s,
such a set is named by its folded frequency q on the half-plane (m, m//2+1); member i = (a, b) lies at q + (a, b) m.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.lattice import WHOLE, Lattice
from tasks.numerics.fourier.rings import frequencies

Offset = tuple[int, int]


@dataclass(frozen=True)
class Sampling:
    """The pixels of a periodic mask: all (y, x) that differ from one of `offsets` by multiples of `period`."""

    period: int
    """px along both axes."""
    offsets: tuple[Offset, ...]
    """(y, x) px of each sampled pixel of the first cell."""

    @property
    def is_full(self) -> bool:
        """Whether every pixel is sampled."""
        return self.period == 1

    @property
    def density(self) -> float:
        """Fraction of the pixels that are sampled."""
        return len(self.offsets) / self.period**2

    def moved(self, dy: int, dx: int) -> Sampling:
        """The same mask seen from an origin that lies (-dy, -dx) px away."""
        moved = sorted(((y + dy) % self.period, (x + dx) % self.period) for y, x in self.offsets)
        return Sampling(self.period, tuple(moved))

    def finer(self, scale: int) -> Sampling:
        """The same pixels on a grid of `scale` times as many pixels along both axes."""
        return Sampling(self.period * scale, tuple((y * scale, x * scale) for y, x in self.offsets))

    def mask(self, height: int, width: int) -> NDArray[np.float32]:
        """(y, x) one where a pixel is sampled, zero elsewhere."""
        rows, columns = -(-height // self.period), -(-width // self.period)
        return np.tile(_cell(self), (rows, columns))[:height, :width]


FULL = Sampling(1, ((0, 0),))
"""Every pixel."""
MIN_WEIGHT = 1e-6
"""Smaller weights of aliases are rounding errors."""
BAYER = ("RGGB", "GRBG", "GBRG", "BGGR")
"""The mosaics of red, green and blue, read row by row from pixel [0, 0]."""


def bayer_samplings(mosaic: str) -> tuple[Sampling, Sampling, Sampling]:
    """The pixels of red, green and blue of a mosaic that is named by its first cell."""
    at = [(letter, divmod(place, 2)) for place, letter in enumerate(mosaic)]
    red, green, blue = (Sampling(2, tuple(offset for letter, offset in at if letter == name)) for name in "RGB")
    return red, green, blue


def _cell(sampling: Sampling) -> NDArray[np.float32]:
    cell = np.zeros((sampling.period, sampling.period), np.float32)
    for y, x in sampling.offsets:
        cell[y, x] = 1
    return cell


@functools.lru_cache(maxsize=32)
def _places(size: int, period: int, lattice: Lattice, device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where each alias of a lattice's frequencies lies on it and whether as its conjugate twin; and the way back."""
    m, half = size // period, size // 2
    qy, qx = lattice.rows(m)[:, None], lattice.columns(m)[None]
    at, twin = [], []
    for a in range(period):
        for b in range(period):
            ky, kx = qy + a * m, qx + b * m
            over = kx > half
            at.append(lattice.index(torch.where(over, (-ky) % size, ky), torch.where(over, size - kx, kx), size))
            twin.append(over.expand(len(qy), -1))
    ky, kx = lattice.rows(size)[:, None], lattice.columns(size)[None]
    flip = (kx % m > m // 2).expand(len(ky), -1)
    fy, fx = torch.where(flip, (-ky) % size, ky), torch.where(flip, (-kx) % size, kx)
    slot = (fy // m * period + fx // m) * (qy.shape[0] * qx.shape[1]) + lattice.index(fy % m, fx % m, m)
    found = torch.stack(at), torch.stack(twin), slot, flip
    return tuple(each.to(device) for each in found)  # type: ignore[return-value]


def alias_is_twin(size: int, period: int, lattice: Lattice, device: str) -> Tensor:
    """(alias, m, m//2+1) whether `gather` finds each alias as its conjugate twin."""
    return _places(size, period, lattice, device)[1]


def gather(values: Tensor, period: int, lattice: Lattice = WHOLE) -> Tensor:
    """Values (..., y, x//2+1) of a lattice of the half-plane as aliases (..., alias, m, m//2+1)."""
    at, twin, _, _ = _places(values.shape[-2] * lattice.stride, period, lattice, str(values.device))
    found = values.flatten(-2)[..., at.reshape(-1)].view(*values.shape[:-2], *at.shape)
    return torch.where(twin, found.conj(), found) if values.is_complex() else found


def scatter(aliases: Tensor, period: int, lattice: Lattice = WHOLE) -> Tensor:
    """Aliases (..., alias, m, m//2+1) on a lattice of the half-plane (..., y, x//2+1)."""
    _, _, slot, flip = _places(aliases.shape[-2] * lattice.stride * period, period, lattice, str(aliases.device))
    found = aliases.flatten(-3)[..., slot.reshape(-1)].view(*aliases.shape[:-3], *slot.shape)
    return torch.where(flip, found.conj(), found) if aliases.is_complex() else found


@dataclass(frozen=True)
class Neighbour:
    """The aliases at one distance from all frequencies of a lattice, in spectra (..., x//2+1, y)."""

    step: Offset
    """(y, x) their distance, in units of 1 / period cycles per pixel."""
    weight: complex
    """Of their light in that of the frequency."""
    at: Tensor
    """(x//2+1 * y) where they lie."""
    sign: Tensor
    """(x//2+1 * y) minus one where their conjugate twins lie there, else one."""

    def of(self, spectra: Tensor) -> Tensor:
        """The values (..., x//2+1, y) of spectra at these aliases."""
        found = spectra.flatten(-2)[..., self.at]
        torch.view_as_real(found)[..., 1].mul_(self.sign)
        return found.view(spectra.shape)


@functools.lru_cache(maxsize=32)
def neighbours(size: int, sampling: Sampling, lattice: Lattice, device: str) -> tuple[Neighbour, ...]:
    """The aliases of a canvas of `size` that a mask mixes into each frequency of a lattice; of a full sampling none."""
    period, found = sampling.period, []
    kx, ky = lattice.columns(size)[:, None], lattice.rows(size)[None]
    weights = torch.fft.fft2(torch.from_numpy(_cell(sampling)).double()) / period**2
    for a, b in (divmod(number, period) for number in range(1, period**2)):
        weight = complex(weights[-a % period, -b % period])
        if abs(weight) < MIN_WEIGHT:
            continue
        row, column = ky + a * (size // period), (kx + b * (size // period)) % size
        twin = (column > size // 2).expand(-1, ky.shape[1])
        row, column = torch.where(twin, -row, row) % size, torch.where(twin, size - column, column)
        at = (column - lattice.column) // lattice.stride * ky.shape[1] + (row - lattice.row) // lattice.stride
        found.append(Neighbour((a, b), weight, at.flatten().to(device), (1.0 - 2.0 * twin.flatten()).to(device)))
    return tuple(found)


def masked(spectra: Tensor, sampling: Sampling) -> Tensor:
    """Spectra (..., y, x//2+1) of pictures of which only the sampled pixels are left."""
    if sampling.is_full:
        return spectra
    columns = spectra.mT.contiguous()
    mixed = sampling.density * columns
    for neighbour in neighbours(spectra.shape[-2], sampling, WHOLE, str(spectra.device)):
        mixed += neighbour.weight * neighbour.of(columns)
    return mixed.mT.contiguous()


def alias_radius(shape: tuple[int, int], sampling: Sampling, own: bool = True) -> NDArray[np.float64]:
    """Frequency (y, x//2+1), cycles per pixel, of the coarsest detail whose light a coefficient of a frame (y, x) holds.

    Without its `own` frequency: of the aliases alone, infinite where there are none.
    """
    nearest = np.full((shape[0], shape[1] // 2 + 1), np.inf)
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    live = np.abs(np.fft.fft2(_cell(sampling))) > 1e-6
    for a, b in np.argwhere(live).tolist():
        if own or a or b:
            dy, dx = ((f - place / sampling.period + 0.5) % 1 - 0.5 for f, place in ((fy, a), (fx, b)))
            nearest = np.minimum(nearest, np.hypot(dy, dx))
    return nearest


@functools.lru_cache(maxsize=8)
def alias_distance(size: int, sampling: Sampling) -> Tensor:
    """`alias_radius` on a canvas."""
    return frequencies(size) if sampling.is_full else torch.from_numpy(alias_radius((size, size), sampling)).float()


@functools.lru_cache(maxsize=8)
def foreign_distance(size: int, sampling: Sampling) -> Tensor:
    """The same of the aliases alone, without the coefficient's own frequency; infinite where there are none."""
    return torch.from_numpy(alias_radius((size, size), sampling, own=False)).float()
