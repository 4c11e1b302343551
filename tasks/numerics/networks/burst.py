"""burst: a frame from its neighbours, never from itself."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.light import light_range
from tasks.numerics.networks.tiles import answer

Image = NDArray[np.float32]
NEIGHBOURS = (-2, -1, 1, 2)
"""Frames that are read, counted from the one that is predicted; it is not among them."""


class BurstNet(nn.Module):
    """Residual on the classical answer, from four neighbours and the mean of all other frames."""

    inputs, outputs, conditions = 5, 1, 1

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = GatedUNet((6, 1), width, self.conditions)

    def forward(self, inputs: Tensor, classical: Tensor, conditions: Tensor) -> Tensor:
        """inputs (n, 5, y, x): neighbours t-2, t-1, t+1, t+2 and the others' mean; classical (n, 1, y, x); light 0 .. 1."""
        return classical + self.body(torch.cat([inputs, classical], 1), conditions)


def neighbours_of(number: int, frames: int) -> tuple[int, int, int, int]:
    """The four frames read for frame `number` of so many, mirrored at the ends without ever meeting the frame itself."""
    if frames < 5:
        raise ValueError(f"{frames} frames: a frame is predicted from four others, five are needed")
    found = []
    for step in NEIGHBOURS:
        place = number + step
        if not 0 <= place < frames:
            place = number - step if abs(step) == 1 else number - 2 * step + np.sign(step)
        found.append(int(np.clip(place, 0, frames - 1)))
    return found[0], found[1], found[2], found[3]


def predicted(net: nn.Module, neighbours: Image, others_mean: Image, classical: Image, sigma: float) -> Image:
    """A frame (y, x) from its neighbours (4, y, x), the mean of all others and the classical answer; `sigma` is its noise."""
    light = light_range(others_mean)
    inputs = light.of(np.concatenate([neighbours, others_mean[None]]))
    return light.back(answer(net, inputs, light.of(classical[None]), [noise_condition(sigma / light.scale)])[0])


def noise_condition(relative: float) -> float:
    """A frame's noise, as a fraction of the light's range, as the net takes it."""
    return float(np.log10(max(relative, 1e-4)) + 1)
