"""How far the sky can be believed, ring by ring: what two solves that know nothing of each other agree on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.optics.pupil import ring_mean, rings
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import wiener

COARSEST = 3
"""Rings of so few coefficients that chance would decide: their light is the stack's and is believed."""


@dataclass(frozen=True)
class Halves:
    """The sums of all frames, and how they came about."""

    total: Sums
    half: Sums
    """Those of the batches of one half; none of them knew of the other half's sky. Empty where there was one solve only."""
    shared: float
    """Share of the frames that both halves solved, each from a start of its own: their noise is in both."""
    noise: float
    """Noise power per coefficient."""

    @property
    def alone(self) -> bool:
        """Whether there is nothing to compare with."""
        return not 0 < self.half.frames < self.total.frames


def agreement(found: Halves, floor: Tensor) -> Tensor:
    """Share (ring,) of the sky's power that is sky: 1 where the halves agree, 0 where each has its own fancy.

    Noise, local minima and noise that the PSFs were bent to are all in what the halves do not have in common. Where
    there are no halves only the noise is known. `floor` is noise over sky power (y, x//2+1).
    """
    total, half = found.total, found.half
    number = rings(total.power.shape[-2], floor.device)
    whole = wiener(total, floor)
    power = ring_mean(whole.real**2 + whole.imag**2, number).clamp_min(1e-30)
    noise = ring_mean(found.noise * total.power / (total.power + floor) ** 2, number)
    if found.alone:
        common = power - noise
    else:
        skies = [wiener(part, floor * (part.frames / total.frames)) for part in (half, total - half)]
        common = ring_mean((skies[0].conj() * skies[1]).real, number) - found.shared * noise
    share = smooth(common / power).clamp(0, 1)
    share[:COARSEST] = 1.0
    return share


def smooth(curve: Tensor) -> Tensor:
    """Mean of each ring and its two neighbours."""
    padded = torch.cat([curve[:1], curve, curve[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3
