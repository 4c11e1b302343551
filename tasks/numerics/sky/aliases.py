"""Sums over a mosaic: for every folded frequency a small Hermitian matrix A over its aliases, and a vector B.

A_ij = c_ij sum of conj(H_i) H_j, with c the comb of the mask; B_i = sum of conj(H_i) Y_i. The best sky is (A + G)^-1 B with
G the diagonal matrix of noise over sky power. Arrays over aliases are (alias, m, m//2+1), matrices (alias, alias, m, m//2+1).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from tasks.numerics.fourier.lattice import WHOLE, Lattice
from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.fourier.sampling import Neighbour, Sampling, alias_is_twin, gather, scatter


def folded_power(
    power: Tensor, mixed: Sequence[tuple[Neighbour, Tensor]], sampling: Sampling, lattice: Lattice
) -> Tensor:
    """A of the sum of |H|^2 and the sums of conj(H) H at each neighbour, all (y, x//2+1) on a lattice."""
    period, none = sampling.period, torch.zeros(())
    twin = alias_is_twin(power.shape[-2] * lattice.stride, period, lattice, str(power.device))
    sums = {neighbour.step: gather(neighbour.weight * each, period, lattice) for neighbour, each in mixed}
    sums[0, 0] = gather(sampling.density * power, period, lattice).to(torch.complex64)
    whole = sums[0, 0].new_zeros(period**2, *sums[0, 0].shape)
    for i, j in itertools.product(range(period**2), repeat=2):
        a, b = j // period - i // period, j % period - i % period
        ahead, back = sums.get((a % period, b % period), none), sums.get((-a % period, -b % period), none)
        if ahead.ndim:
            whole[i, j] = torch.where(twin[i], back[i], ahead[i])  # twins: conj(H) H at -k, as far away the other way
    return whole


def diagonal_of(power: Tensor, sampling: Sampling) -> Tensor:
    """The diagonal of A on the half-plane (y, x//2+1), real."""
    return scatter(torch.stack([power[i, i].real for i in range(len(power))]), sampling.period)


def times_band(
    power: Tensor, cross: Tensor, band: Tensor, sampling: Sampling, lattice: Lattice = WHOLE
) -> tuple[Tensor, Tensor]:
    """A and B of transfer functions that are multiplied by a real `band` (y, x//2+1), all on a lattice."""
    factor = gather(band, sampling.period, lattice)
    return power * factor[:, None] * factor[None], cross * factor


def turned(power: Tensor, cross: Tensor, ramp: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """A and B of a sky that is moved by a phase ramp (y, x//2+1)."""
    move = gather(ramp, sampling.period)
    return power * move[:, None] * move.conj()[None], cross * move


class Scaled:
    """A + G of every folded frequency, scaled to a unit diagonal: without it single precision would not do."""

    def __init__(
        self, power: Tensor, floor: Tensor, sampling: Sampling, double: bool = False, lattice: Lattice = WHOLE
    ) -> None:
        kind = torch.complex128 if double else torch.complex64
        self.sampling = sampling
        self.floor = gather(floor.expand(power.shape[-2] * sampling.period, -1), sampling.period, lattice)
        matrix = power.permute(2, 3, 0, 1).to(kind)
        diagonal = matrix.diagonal(dim1=-2, dim2=-1).real + self.floor.permute(1, 2, 0)
        self.scale = diagonal.clamp_min(1e-30).rsqrt()
        matrix = matrix * self.scale[..., :, None] * self.scale[..., None, :]
        matrix.diagonal(dim1=-2, dim2=-1).fill_(1)
        self.matrix = matrix

    def solve(self, cross: Tensor) -> Tensor:
        """The sky (alias, m, m//2+1)."""
        right = cross.permute(1, 2, 0).to(self.matrix) * self.scale
        found = torch.linalg.solve(self.matrix, right[..., None])[..., 0] * self.scale
        return found.permute(2, 0, 1).to(cross.dtype)

    def inverse(self) -> Tensor:
        """(A + G)^-1 (m, m//2+1, alias, alias)."""
        return torch.linalg.inv(self.matrix) * self.scale[..., :, None] * self.scale[..., None, :]

    def log_determinant(self) -> Tensor:
        """ln det(A + G) (m, m//2+1)."""
        logarithm: Tensor = torch.linalg.slogdet(self.matrix).logabsdet - 2 * self.scale.log().sum(-1)
        return logarithm

    def on_half_plane(self, values: Tensor) -> Tensor:
        """Real values (m, m//2+1, alias) on the half-plane."""
        return scatter(values.permute(2, 0, 1), self.sampling.period)

    def known(self) -> Tensor:
        """Fraction (y, x//2+1) of the sky's amplitude that the prior lets pass: 1 minus posterior over prior variance."""
        own = self.inverse().diagonal(dim1=-2, dim2=-1).real
        return self.on_half_plane((1 - self.floor.permute(1, 2, 0) * own).clamp(0, 1))

    def noise(self) -> Tensor:
        """Noise power (y, x//2+1) of the best sky, over that of a frame's coefficient."""
        inverse = self.inverse()
        held = (inverse.abs() ** 2 * self.floor.permute(1, 2, 0)[..., None, :]).sum(-1)
        return self.on_half_plane((inverse.diagonal(dim1=-2, dim2=-1).real - held).clamp_min(0))


def folded_loss(scaled: Scaled, cross: Tensor, noise: Tensor, evidence: float) -> Tensor:
    """Minus log-likelihood of sums over aliases, see `likelihood.loss_of`."""
    fit = (cross.conj() * scaled.solve(cross)).real.double().sum(0) / noise
    weight = multiplicity(cross.shape[-2], cross.device)
    if evidence:
        fit = fit - evidence * scaled.log_determinant()
    return -(weight * fit).sum()
