"""Some of the frequencies of a spectrum: a step of a solve learns enough from every second one in either direction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lattice:
    """Every `stride`-th row and column of half-planes (..., y, x//2+1), from `row` and `column` on."""

    stride: int = 1
    row: int = 0
    column: int = 0

    def of(self, values: Tensor) -> Tensor:
        """Their values (..., row, column) of a half-plane (..., y, x//2+1); a number holds for all of them."""
        return self.columns_of(values)[..., self.row :: self.stride, :] if values.ndim else values

    def rows(self, size: int) -> Tensor:
        """The frequencies of its rows, of half-planes of `size` px."""
        return torch.arange(self.row, size, self.stride)

    def columns(self, size: int) -> Tensor:
        """The frequencies of its columns, of half-planes of `size` px."""
        return torch.arange(self.column, size // 2 + 1, self.stride)

    def index(self, row: Tensor, column: Tensor, size: int) -> Tensor:
        """Where values of some of its frequencies lie in its flattened ones (row, column)."""
        return (row - self.row) // self.stride * len(self.columns(size)) + (column - self.column) // self.stride

    def is_closed(self, size: int, period: int) -> bool:
        """Whether the aliases of its frequencies on a canvas of `size`, which a mask of `period` mixes, are on it, too."""
        return size % (period * self.stride) == 0

    def columns_of(self, values: Tensor) -> Tensor:
        """The columns (..., column) of a half-plane (..., x//2+1)."""
        return values[..., self.column :: self.stride]


WHOLE = Lattice()
"""Every frequency."""
QUARTERS = tuple(Lattice(2, row, column) for row in (0, 1) for column in (0, 1))
"""Four lattices that together hold every frequency once."""


def inner(spectra: Tensor, size: int) -> Tensor:
    """The coarse frequencies (..., y, x//2+1) of half-planes: those of `size` wider pixels over the same field."""
    if spectra.shape[-2] == size:
        return spectra
    half = size // 2
    return torch.cat([spectra[..., :half, : half + 1], spectra[..., -half:, : half + 1]], -2)
