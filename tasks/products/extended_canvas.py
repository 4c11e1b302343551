"""The solved frames as windows on a canvas wider than they are, read a few at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models.rows import PsfRows
from tasks.numerics.sky.extended_field import paste, window_masks
from tasks.products.clean_frames import CleanFrames
from tasks.products.cutout import Cutout


@dataclass(frozen=True)
class ExtendedCanvas:
    """The frames of one channel on a wider canvas."""

    clean: CleanFrames
    cutout: Cutout
    frames: NDArray[np.int64]
    """(row,) frame of each solve."""
    weights: NDArray[np.float32]
    """(row,) what each solve counts."""
    psfs: PsfRows
    aperture: Aperture
    """On the canvas."""
    size: int
    """Side of the canvas, px."""
    d_over_r0: float
    device: str

    def windows(self, few: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Masks (frame, y, x) and weighted transfer functions (frame, y, x//2+1) of so many frames at a time."""
        shape = self.cutout.stack.shape[0], self.cutout.stack.shape[1]
        for rows in self._blocks(few):
            mask = window_masks(shape, self.cutout.whole_shifts(self.frames[rows]), self.size, self.cutout.in_box)
            phases = torch.from_numpy(self.psfs[rows]).to(self.device)
            transfer = self.psfs.model.transfer_functions(phases, self.aperture, self.size, self.d_over_r0)
            yield mask.to(self.device), transfer * self._root_weights(rows)

    def blocks(self, few: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The same with the weighted light (frame, y, x) before them."""
        for rows, (mask, transfer) in zip(self._blocks(few), self.windows(few), strict=True):
            frames, whole = self.cutout.flux_matched(self.clean, self.frames[rows])
            light = paste(frames - np.float32(self.cutout.border), whole, self.size).to(self.device)
            yield light * self._root_weights(rows), mask, transfer

    def _blocks(self, few: int) -> list[slice]:
        return [slice(start, start + few) for start in range(0, len(self.frames), few)]

    def _root_weights(self, rows: slice) -> Tensor:
        return torch.from_numpy(np.sqrt(self.weights[rows])[:, None, None]).to(self.device)
