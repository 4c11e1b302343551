"""fill: what the classical filling of missing pixels leaves to be done, learned."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.tiles import in_tiles

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


class FillNet(nn.Module):
    """Dilated residual U-Net: holes come filled classically and marked by the mask, never as black."""

    inputs, outputs, conditions = 2, 1, 0

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = GatedUNet((4, 1), width, self.conditions, dilations=(1, 2, 4))

    def forward(self, inputs: Tensor, classical: Tensor, conditions: Tensor) -> Tensor:
        """inputs (n, 2, y, x): mask (1 missing) and reference; classical (n, 1, y, x) in 0 .. 1; the rest is untouched."""
        mask, reference = inputs[:, :1], inputs[:, 1:2]
        given = torch.cat([classical, mask, reference, classical - reference], 1)
        return classical + mask * self.body(given, conditions)


def filled(net: nn.Module, classical: Image, mask: Mask, reference: Image) -> Image:
    """The frame (y, x) with its holes filled; outside the mask it is the classical one bit by bit."""
    low = float(reference.min())
    scale = max(float(reference.max()) - low, 1e-30)
    planes = np.stack([mask.astype(np.float32), (reference - low) / scale, (classical - low) / scale])
    nothing = torch.zeros(1, 0)
    out = in_tiles(lambda x: net(x[:, :2], x[:, 2:], nothing), np.asarray(planes, np.float32))[0]
    return np.where(mask, np.asarray(out * scale + low, np.float32), classical)
