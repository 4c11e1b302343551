"""enhance: what Richardson-Lucy leaves to be done on a finished picture, learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.light import Light
from tasks.numerics.networks.tiles import answer

Image = NDArray[np.float32]
STRETCH = 10.0
"""Light is seen by the net as asinh(10 x): faint and bright structure weigh alike."""


class EnhanceNet(nn.Module):
    """Residual on the classical answer, in stretched and in plain light; told the PSF's width and the standard error."""

    inputs, outputs, conditions = 4, 1, 2

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = GatedUNet((9, 2), width, self.conditions)

    def forward(self, inputs: Tensor, classical: Tensor, conditions: Tensor) -> Tensor:
        """inputs (n, 4, y, x): picture, standard error, two filters; classical (n, 1, y, x); light 0 .. 1; conditions (n, 2)."""
        base = torch.asinh(STRETCH * classical)
        picture = torch.asinh(STRETCH * inputs[:, :1])
        error = torch.asinh(100 * inputs[:, 1:2])
        filtered = torch.asinh(STRETCH * inputs[:, 2:]) - base
        plain = STRETCH * (torch.cat([inputs[:, :1], inputs[:, 2:]], 1) - classical)
        change = self.body(torch.cat([picture, base, picture - base, error, filtered, plain], 1), conditions)
        faint = (torch.sinh(base + change[:, :1]) - torch.sinh(base)) / STRETCH
        return classical + faint + change[:, 1:] / STRETCH


@dataclass(frozen=True)
class Given:
    """What the net takes, in light between 0 and about 1."""

    inputs: Image
    """(4, y, x) picture, standard error, two inverse filters."""
    classical: Image
    """(1, y, x)."""
    conditions: tuple[float, float]
    """Width of the PSF and standard error, both near 0 .. 1."""
    light: Light


def given(picture: Image, classical: Image, sigma: Image, filtered: Image, fwhm_px: float, background: float) -> Given:
    """Pictures (y, x) in any unit to the net's: above the background, over the classical answer's brightest pixel."""
    light = Light(background, light_scale(picture, classical, background))
    error = np.asarray(sigma / light.scale, np.float32)
    inputs = np.stack([light.of(picture), error, *light.of(filtered)])
    conditions = fwhm_px / 4 - 1, np.log10(max(float(np.median(error)), 1e-6)) / 2 + 1
    return Given(inputs, light.of(classical[None]), conditions, light)


def light_scale(picture: Image, classical: Image, background: float) -> float:
    """How much light is 1 for the net."""
    return max(float(classical.max()) - background, float(np.ptp(picture)), 1e-30)


def enhanced(
    net: nn.Module, picture: Image, classical: Image, sigma: Image, filtered: Image, fwhm_px: float, background: float
) -> Image:
    """The learned answer (y, x) in the unit of the picture; its light is not yet matched to the picture's.

    `filtered` (2, y, x) is the picture through two inverse filters.
    """
    own = given(picture, classical, sigma, filtered, fwhm_px, background)
    return own.light.back(answer(net, own.inputs, own.classical, own.conditions)[0])
