"""enhance: what Richardson-Lucy leaves to be done on a finished picture, learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.tiles import in_tiles

Image = NDArray[np.float32]
STRETCH = 10.0
"""Light is seen by the net as asinh(10 x): faint and bright structure weigh alike."""


class EnhanceNet(nn.Module):
    """Residual on the classical answer in stretched light; knows the width of the PSF and the standard error."""

    inputs, outputs, conditions = 2, 1, 2

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = GatedUNet((4, 1), width, self.conditions)

    def forward(self, inputs: Tensor, classical: Tensor, conditions: Tensor) -> Tensor:
        """inputs (n, 2, y, x): picture and standard error; classical (n, 1, y, x); conditions (n, 2). Light is 0 .. 1."""
        base = torch.asinh(STRETCH * classical)
        picture = torch.asinh(STRETCH * inputs[:, :1])
        error = torch.asinh(100 * inputs[:, 1:2])
        change = self.body(torch.cat([picture, base, picture - base, error], 1), conditions)
        return classical + (torch.sinh(base + change) - torch.sinh(base)) / STRETCH


@dataclass(frozen=True)
class Normalised:
    """Planes (3, y, x) as the net takes them, in light between 0 and about 1, and how to go back."""

    planes: Image
    """Picture, standard error, classical answer."""
    conditions: NDArray[np.float32]
    """(2,) width of the PSF and standard error, both near 0 .. 1."""
    background: float
    scale: float


def normalised(picture: Image, classical: Image, sigma: Image, fwhm_px: float, background: float) -> Normalised:
    """Pictures (y, x) in any unit to the net's: above the background, over the classical answer's brightest pixel."""
    scale = max(float(classical.max()) - background, float(np.ptp(picture)), 1e-30)
    planes = np.stack([picture - background, sigma, classical - background]) / scale
    level = float(np.median(planes[1]))
    conditions = np.array([fwhm_px / 4 - 1, np.log10(max(level, 1e-6)) / 2 + 1], np.float32)
    return Normalised(np.asarray(planes, np.float32), conditions, background, scale)


def enhanced(
    net: nn.Module, picture: Image, classical: Image, sigma: Image, fwhm_px: float, background: float
) -> Image:
    """The learned answer (y, x) in the unit of the picture; its light is not yet matched to the picture's."""
    given = normalised(picture, classical, sigma, fwhm_px, background)
    conditions = torch.from_numpy(given.conditions)[None]
    out = in_tiles(lambda x: net(x[:, :2], x[:, 2:], conditions), given.planes)[0]
    return np.asarray(out * given.scale + given.background, np.float32)
