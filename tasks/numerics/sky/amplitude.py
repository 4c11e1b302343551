"""Amplitude correction: the ring powers of the solved sky brought to those that frames and seeing imply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.rings import RINGS, ring_mean, rings
from tasks.numerics.fourier.shifts import best_shift
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil
from tasks.numerics.sky.half_agreement import HalfSums, common_power_fraction, smooth
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import floor_of, known_fraction, ring_power, trusted_ring_mean, wiener

MAX_OFFSET_PX = 4
"""Largest offset between the skies of two batches: as much as registration can be wrong on average."""
MAX_CORRECTION = 4.0
"""Largest factor, either way, by which the seeing may change a ring's amplitude."""
COARSE = slice(1, 3)
"""Rings that seeing hardly attenuates; the gain is normalised to one there."""
MIN_COMMON_FRACTION = 0.9
"""Rings with a smaller fraction of common power do not enter the comparison of seeing and PSFs."""
HELD_RINGS = 5
"""Last trusted rings of a mosaic whose mean ratio holds for the aliased ones beyond."""
MIN_SEEING_WEIGHT = 0.75
"""Smallest weight of the power ratio from seeing. On simulated captures it is nearer the truth than the one from the PSFs.

What is left for the PSFs shrinks with the share of the pixels that a colour has, as they do with what is known of them.
"""


@dataclass(frozen=True)
class SeeingPower:
    """The frames' power and how much of the sky's power the seeing passes."""

    frame_power: Tensor
    """(ring,) mean |Y|^2 of the frames, noise included."""
    mean_power: NDArray[np.float64]
    """Mean |H|^2 in this seeing, at `rings.RINGS`."""
    log_power_sigma: NDArray[np.float64]
    """Standard deviation of its logarithm."""
    weight: float
    """Factor 0..1 on the weight of the seeing: 0 ignores it, 1 trusts it as far as its standard deviation allows."""
    compressed: bool = False
    """Whether the frames were compressed or denoised: part of their light is lost, about as much as there is noise."""


@dataclass(frozen=True)
class AmplitudeCorrected:
    """A sky on the tapered canvas."""

    sky: Tensor
    """(y, x) seen through the telescope without turbulence."""
    spectrum: Tensor
    """(y, x//2+1) without the telescope's transfer function."""
    sky_power: Tensor
    """(ring,) most likely power per coefficient, in the units of the sums."""
    gain: Tensor
    """(ring,) by which the Wiener-filtered sky was multiplied."""


def correct_amplitude(
    sums: HalfSums, seeing: SeeingPower, aperture: Aperture, white: Tensor | None = None
) -> AmplitudeCorrected:
    """The Wiener-filtered sky of the sums, its rings scaled by `ring_gain`; `white` is the filter the frames went through."""
    size = sums.total.size
    power = ring_power(sums.total, sums.noise)
    floor = floor_of(power, sums.noise, size)
    gain = ring_gain(sums, floor, seeing, aperture.diameter_cells / size)
    spectrum = wiener(sums.total, floor) * gain[rings(size)]
    shown = spectrum if white is None else spectrum / white
    sky = torch.fft.irfft2(diffraction_otf(make_pupil(size, aperture, 3)) * shown, s=(size, size))
    return AmplitudeCorrected(sky, spectrum, power, gain)


def ring_gain(sums: HalfSums, floor: Tensor, seeing: SeeingPower, cutoff: float) -> Tensor:
    """Factor (ring,) on the Wiener-filtered sky X that minimises its expected squared error.

    With w the fraction of X's power P that is sky, the best factor is sqrt(w S / P), S being the true sky's power. Two
    estimates of S / P need no sky. From the seeing: the frames' power without noise, over <|H|^2>, over P. From the PSFs:
    X is attenuated by the prior only, so the factor is w over that attenuation. The two are combined as a weighted
    geometric mean, see `seeing_weight`.
    """
    total = sums.total
    size = total.size
    number = rings(size)
    sky = wiener(total, floor)
    power = ring_mean(sky.real**2 + sky.imag**2, number).clamp_min(1e-30)
    common = common_power_fraction(sums, floor)
    kept = ring_mean(known_fraction(total, floor), number).clamp_min(1e-3)
    frequency = np.arange(len(power)) / size / cutoff
    passed = np.exp(np.interp(frequency, RINGS, np.log(np.maximum(seeing.mean_power, 1e-9))))
    signal = (seeing.frame_power - sums.noise).clamp_min(0)
    power_there, trusted = trusted_ring_mean(sky.real**2 + sky.imag**2, total.sampling)
    power_ratio_from_seeing = smooth(signal / torch.from_numpy(passed).float() / power_there.clamp_min(1e-30))
    power_ratio_from_seeing = held_where_aliased(power_ratio_from_seeing, common / kept**2, trusted)
    lowest, highest = common / MAX_CORRECTION**2, common * MAX_CORRECTION**2
    power_ratio_from_seeing = torch.minimum(torch.maximum(power_ratio_from_seeing, lowest), highest)
    sigma = torch.from_numpy(np.interp(frequency, RINGS, seeing.log_power_sigma)).float()
    used = (common > MIN_COMMON_FRACTION) & (power_ratio_from_seeing > 0) & trusted
    used = used & torch.from_numpy((frequency > 0) & (frequency < 1))
    difference = torch.log(power_ratio_from_seeing * kept**2 / common)
    difference = difference - difference[COARSE].mean()  # a common scale divides out below
    least = 1 - (1 - MIN_SEEING_WEIGHT) * total.sampling.density
    weight = seeing.weight * max(least, seeing_weight(difference[used], sigma[used]))
    gain = (common / kept) ** (1 - weight) * (common * power_ratio_from_seeing).sqrt() ** weight
    gain = gain / gain[COARSE].mean()
    if (
        seeing.compressed
    ):  # a coder keeps P / (P + N) of a ring's light (reverse water-filling): restored where it is common
        lost = (sums.noise / seeing.frame_power.clamp_min(1e-30)).clamp(0, 1)
        gain = gain * (1 + common**2 * lost)
    gain[torch.from_numpy(frequency) > 1] = 0.0  # no signal beyond the cut-off
    gain[0] = 1.0  # keeps the flux
    return gain


def log_mean_power(total: Sums, aperture: Aperture) -> NDArray[np.float64]:
    """ln of the mean |H|^2 of the solved PSFs (ring,), at `rings.RINGS`; not of a mosaic."""
    number = rings(total.size)
    power = (ring_mean(total.power.double(), number) / total.frames).clamp_min(1e-9).numpy()
    return np.asarray(np.interp(RINGS * aperture.diameter_cells, np.arange(len(power)), np.log(power)))


def held_where_aliased(from_seeing: Tensor, from_psfs: Tensor, trusted: Tensor) -> Tensor:
    """The power ratio (ring,) from seeing; beyond the trusted rings the one from the PSFs, times their last ratio."""
    if bool(trusted.all()):
        return from_seeing
    last = int(trusted.long().argmin())
    beyond = torch.arange(len(trusted)) >= last - 1  # the last ring of the smoothed curve has an aliased neighbour
    final = slice(max(1, last - HELD_RINGS - 1), last - 1)
    held = (from_seeing[final].clamp_min(1e-30) / from_psfs[final].clamp_min(1e-30)).log().mean().exp()
    return torch.where(beyond, held * from_psfs, from_seeing)


def seeing_weight(difference: Tensor, sigma: Tensor) -> float:
    """Weight 0..1 of the power ratio from seeing against the one from the PSFs.

    `difference` is their difference in ln(power), `sigma` the standard deviation of the seeing's, both (ring,). What
    exceeds the seeing's own variance is attributed to the PSFs (James-Stein shrinkage), down to MIN_SEEING_WEIGHT.
    """
    if not len(difference):
        return MIN_SEEING_WEIGHT
    return max(MIN_SEEING_WEIGHT, 1 - float((sigma**2).mean() / (difference**2).mean().clamp_min(1e-12)))


def batch_sky(total: Sums, noise: float) -> Tensor:
    """Sky spectrum (y, x//2+1) from one batch's sums, attenuated as its frames are on average."""
    sky = wiener(total, floor_of(ring_power(total, noise), noise, total.size))
    return sky * (total.own_power / total.frames).sqrt()


def sky_offset(first: Tensor, other: Tensor) -> tuple[float, float]:
    """Shift (dy, dx) px that registers the other sky's spectrum onto the first."""
    _, dy, dx = best_shift((first * other.conj()).numpy(), len(first), MAX_OFFSET_PX)
    return dy, dx
