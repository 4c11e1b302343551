"""Fraction of the sky's power that two half-sets of frames, solved independently, have in common, ring by ring."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.fourier.rings import ring_mean, rings
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import noise_gain, wiener

MIN_RING = 3
"""First ring with enough coefficients for a correlation; the fraction on rings below it is set to one."""


@dataclass(frozen=True)
class HalfSums:
    """The sums of all frames and of one half-set of them."""

    total: Sums
    half: Sums
    """Those of the batches of one half, solved without the other half's sky. Empty where there was one solve only."""
    shared_noise_fraction: float
    """Fraction of the frames that both halves solved, each from its own start: their noise is common to both."""
    noise: float
    """Noise power per coefficient."""

    @property
    def single_solve(self) -> bool:
        """Whether all frames were solved together, so that there are no halves to compare."""
        return not 0 < self.half.frames < self.total.frames


def common_power_fraction(sums: HalfSums, floor: Tensor) -> Tensor:
    """Fraction (ring,) of ring power common to both half-sets, cf. Fourier ring correlation.

    Noise, local minima and PSFs fitted to noise all lower it. For a single solve the expected noise power is subtracted
    instead. `floor` is noise over sky power (y, x//2+1).
    """
    total, half = sums.total, sums.half
    number = rings(total.size, floor.device)
    sky = wiener(total, floor)
    power = ring_mean(sky.real**2 + sky.imag**2, number).clamp_min(1e-30)
    noise = sums.noise * ring_mean(noise_gain(total, floor), number)
    if sums.single_solve:
        common = power - noise
    else:
        skies = [wiener(part, floor * (part.frames / total.frames)) for part in (half, total - half)]
        common = ring_mean((skies[0].conj() * skies[1]).real, number) - sums.shared_noise_fraction * noise
    fraction = smooth(common / power).clamp(0, 1)
    fraction[:MIN_RING] = 1.0
    return fraction


def smooth(curve: Tensor) -> Tensor:
    """Mean of each ring and its two neighbours."""
    padded = torch.cat([curve[:1], curve, curve[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3
