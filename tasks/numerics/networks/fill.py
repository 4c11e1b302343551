"""fill: what the classical filling of missing pixels leaves to be done, learned."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.light import Light, light_range
from tasks.numerics.networks.tiles import answer

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
FINER = 10.0
"""Differences of light are small against light itself: the net works on so many times them."""


class FillNet(nn.Module):
    """Dilated residual U-Net: holes come filled classically and marked by the mask, never as black."""

    inputs, outputs, conditions = 2, 1, 0

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = GatedUNet((4, 1), width, self.conditions, dilations=(1, 2, 4))

    def forward(self, inputs: Tensor, classical: Tensor, conditions: Tensor) -> Tensor:
        """inputs (n, 2, y, x): mask (1 missing) and reference; classical (n, 1, y, x) in 0 .. 1; the rest is untouched."""
        mask, reference = inputs[:, :1], inputs[:, 1:2]
        given = torch.cat([classical, mask, reference, FINER * (classical - reference)], 1)
        return classical + mask * self.body(given, conditions) / FINER


def fill_inputs(mask: Mask, reference: Image, light: Light) -> Image:
    """What the net is given (2, y, x) besides the filled frame."""
    return np.stack([mask.astype(np.float32), light.of(reference)])


def filled(net: nn.Module, classical: Image, mask: Mask, reference: Image) -> Image:
    """The frame (y, x) with its holes filled; outside the mask it is the classical one bit by bit."""
    light = light_range(reference)
    found = answer(net, fill_inputs(mask, reference, light), light.of(classical[None]))
    return np.where(mask, light.back(found[0]), classical)
