"""The parameters of the PSFs of all rounds as one array that is computed block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models.base import PsfModel

BLOCK = 256
"""Rows at a time."""


class Rows(Protocol):
    """Parameters (row, ...) that are read when they are sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: slice, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class PsfRows:
    """The PSFs of earlier rounds, then those of this one, each moved with the sky of its batch."""

    model: PsfModel
    before: Rows | None
    own: Rows
    counts: Sequence[int]
    """Rows of each batch of `own`."""
    offsets: Sequence[tuple[float, float]]
    """(dy, dx) px by which the sky of each batch was moved."""
    aperture: Aperture
    """On a canvas of `size`."""
    size: int

    def __len__(self) -> int:
        return (0 if self.before is None else len(self.before)) + sum(self.counts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and the shape of one PSF's parameters."""
        return len(self), *(self.own if self.before is None else self.before).shape[1:]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, _ = rows.indices(len(self))
        first = 0 if self.before is None else len(self.before)
        parts = [] if self.before is None or start >= first else [self.before[start : min(stop, first)]]
        parts += self._own(max(start - first, 0), stop - first)
        return np.concatenate(parts)

    def _own(self, start: int, stop: int) -> Iterator[NDArray[np.float32]]:
        """Rows of this round, batch by batch."""
        begin = 0
        for count, (dy, dx) in zip(self.counts, self.offsets, strict=True):
            low, high = max(start, begin), min(stop, begin + count)
            if low < high:
                found = self.own[low:high]
                if dy or dx:
                    moved = self.model.shifted(torch.from_numpy(found), (-dy, -dx), self.aperture, self.size)
                    found = moved.numpy()
                yield found
            begin += count

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """All rows, a few at a time: of many frames and modes, or as pixels, they would not fit into memory."""
        for start in range(0, len(self), BLOCK):
            yield self[start : start + BLOCK]
