"""The sums of a solve_sky product: over all frames, over each half-set, and how far the half-sets agree."""

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.sky.half_agreement import HalfSums, common_power_fraction
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import floor_of
from tasks.products.contents import Psfs, Sky


def count_frames(product: Psfs | Sky) -> int:
    """How many frames an open product of a round is about; several starts solve the same ones."""
    return len(np.unique(product.frames[:]))


def half_agreement(sky: Sky, channel: int) -> NDArray[np.float64]:
    """Fraction (ring,) of the sky's power that is common to both half-sets, up to half a cycle per pixel."""
    fraction = common_power_fraction(read_half_sums(sky, channel), read_floor(sky, channel))
    return np.asarray(fraction[: sky.A.shape[1] // 2 + 1].numpy(), np.float64)


def read_half_sums(sky: Sky, channel: int) -> HalfSums:
    """The sums of an open solve_sky product, whole and of half-set 0."""
    half = _sums(sky.A_half[channel], sky.B_half[channel])
    return HalfSums(read_sums(sky, channel), half, float(sky.shared_noise_fraction[channel]), float(sky.noise[channel]))


def read_sums(sky: Sky, channel: int) -> Sums:
    """Sums over all frames of an open solve_sky product."""
    return _sums(sky.A[channel], sky.B[channel])


def read_floor(sky: Sky, channel: int) -> torch.Tensor:
    """Noise over sky power (y, x//2+1), as an open solve_sky product found them."""
    power = torch.from_numpy(sky.sky_power[channel])
    return floor_of(power, float(sky.noise[channel]), sky.A.shape[1])


def _sums(power: NDArray[np.float32], cross: NDArray[np.complex64]) -> Sums:
    return Sums(torch.from_numpy(power), torch.from_numpy(cross), round(float(power[0, 0])))
