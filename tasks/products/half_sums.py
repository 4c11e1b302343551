"""The sums of a solve_sky product: over all frames, over each half-set, and how far the half-sets agree."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.fourier.sampling import Sampling
from tasks.numerics.sky.half_agreement import HalfSums, common_power_fraction
from tasks.numerics.sky.likelihood import Sums, sums_of_arrays
from tasks.numerics.sky.wiener import floor_of
from tasks.products.contents import Psfs, Sky


def count_frames(product: Psfs | Sky) -> int:
    """How many frames an open product of a round is about; several starts solve the same ones."""
    return len(np.unique(product.frames[:]))


def half_agreement(sky: Sky, channel: int) -> NDArray[np.float64]:
    """Fraction (ring,) of the sky's power that is common to both half-sets, up to half a cycle per pixel."""
    sums = read_half_sums(sky, channel)
    fraction = common_power_fraction(sums, read_floor(sky, channel))
    return np.asarray(fraction[: sums.total.size // 2 + 1].numpy(), np.float64)


def read_half_sums(sky: Sky, channel: int) -> HalfSums:
    """The sums of an open solve_sky product, whole and of half-set 0."""
    half = sums_of_arrays(sky.A_half[channel][:], sky.B_half[channel][:], read_sampling(sky, channel))
    return HalfSums(read_sums(sky, channel), half, float(sky.shared_noise_fraction[channel]), float(sky.noise[channel]))


def read_sums(sky: Sky, channel: int) -> Sums:
    """Sums over all frames of an open solve_sky product."""
    return sums_of_arrays(sky.A[channel][:], sky.B[channel][:], read_sampling(sky, channel))


def read_sampling(product: Psfs | Sky, channel: int) -> Sampling:
    """The pixels of a channel on the canvas of an open product of a round."""
    period, offsets = product.samplings[channel]
    return Sampling(period, tuple((y, x) for y, x in offsets))


def plain_sampling(sampling: Sampling) -> list[Any]:
    """The same as it is stored."""
    return [sampling.period, [list(offset) for offset in sampling.offsets]]


def read_floor(sky: Sky, channel: int) -> torch.Tensor:
    """Noise over sky power (y, x//2+1), as an open solve_sky product found them."""
    power = torch.from_numpy(sky.sky_power[channel])
    size = sky.A[channel].shape[-2] * read_sampling(sky, channel).period
    return floor_of(power, float(sky.noise[channel]), size)
