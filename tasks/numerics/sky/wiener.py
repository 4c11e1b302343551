"""From the sums A and B to the sky: Wiener filter, noise estimate and ring-power priors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tasks.numerics.fourier.rings import ring_mean, rings
from tasks.numerics.fourier.sampling import FULL, Sampling, alias_distance, foreign_distance
from tasks.numerics.sky.aliases import Scaled
from tasks.numerics.sky.likelihood import Sums, best_sky

MIN_ALIAS_RATIO = 1.5
"""A coefficient is trusted for ring powers where the light that aliases into it was this much finer than its own."""
MIN_TRUSTED = 0.1
"""Smallest fraction of a ring's coefficients that must be trusted."""


def wiener(total: Sums, floor: Tensor) -> Tensor:
    """Best sky spectrum (y, x//2+1) under a Gaussian prior: B / (A + g), g = noise / sky power."""
    return best_sky(total, floor)


def known_fraction(total: Sums, floor: Tensor) -> Tensor:
    """Fraction (y, x//2+1) of the true sky's amplitude that the Wiener filter leaves: A / (A + g)."""
    if total.sampling.is_full:
        return total.power / (total.power + floor)
    return Scaled(total.power, floor, total.sampling, double=True).known().float()


def noise_gain(total: Sums, floor: Tensor) -> Tensor:
    """Noise power (y, x//2+1) of the Wiener-filtered sky over that of a coefficient: A / (A + g)^2."""
    if total.sampling.is_full:
        return total.power / (total.power + floor) ** 2
    return Scaled(total.power, floor, total.sampling, double=True).noise().float()


def corner_noise(spectra: Tensor, cutoff: float, margin: float = 1.03, sampling: Sampling = FULL) -> float:
    """Noise power per coefficient of spectra (frame, y, x//2+1), from the frequencies beyond the optical cut-off.

    `cutoff` is in cycles per pixel; where coarse pixels leave too few frequencies beyond it, the highest tenth is used. Of
    a mosaic these are coefficients all of whose aliases are that fine, and the noise is that of frames with every pixel.
    """
    size = spectra.shape[-2]
    f = alias_distance(size, sampling).to(spectra.device)
    dark = f > min(cutoff * margin, float(torch.quantile(f.reshape(-1), 0.9)))
    dark[:, 0] = dark[:, -1] = False  # the axes hold the leakage of borders and column noise
    dark[0, :] = dark[size // 2, :] = False
    corner = spectra[:, dark]
    # The median of an exponential distribution is ln 2 times its mean, and robust to a few bright lines.
    return float((corner.real**2 + corner.imag**2).median() / math.log(2)) / sampling.density


def ring_power_of_frames(spectra: Tensor, noise: float = 0.0, sampling: Sampling = FULL) -> Tensor:
    """Mean |Y|^2 (ring,) of spectra (frame, y, x//2+1), as frames with every pixel would have it, noise included."""
    mean = (spectra.real**2 + spectra.imag**2).mean(0)
    if sampling.is_full:
        return ring_mean(mean, rings(spectra.shape[-2], spectra.device))
    signal = (mean - noise * sampling.density) / sampling.density**2
    return trusted_ring_mean(signal, sampling)[0] + noise


def trusted_ring_mean(values: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Mean (ring,) of values (y, x//2+1) over the coefficients that hold hardly any aliased light, and where there are such."""
    size = values.shape[-2]
    number = rings(size, values.device)
    if sampling.is_full:
        mean = ring_mean(values, number)
        return mean, torch.ones_like(mean, dtype=torch.bool)
    own = number / size
    good = (foreign_distance(size, sampling).to(values.device) > MIN_ALIAS_RATIO * own).to(values.dtype)
    share = ring_mean(good, number)
    return ring_mean(values * good, number) / share.clamp_min(1e-6), share > MIN_TRUSTED


def power_law(mean: Tensor, low: int = 2, high: int = 6, exponent: float = 3.0) -> Tensor:
    """First guess of the sky's power (ring,): the law f^-exponent through rings `low` .. `high` - 1 of a spectrum.

    `mean` is the mean frame's spectrum (y, x//2+1), which seeing hardly attenuates on these rings.
    """
    power = ring_mean(mean.real**2 + mean.imag**2, rings(mean.shape[-2], mean.device))
    ring = torch.arange(len(power), device=power.device, dtype=power.dtype).clamp_min(1)
    level = (power[low:high].clamp_min(1e-30) * ring[low:high] ** exponent).log().mean().exp()
    law = level * ring**-exponent
    law[0] = torch.maximum(power[0], law[0])
    return law


def floor_of(sky_power: Tensor, noise: float, size: int) -> Tensor:
    """Wiener's g = noise / sky power (y, x//2+1) from the sky's power per ring (ring,)."""
    return noise / sky_power[rings(size, sky_power.device)].clamp_min(1e-30)


def ring_power(total: Sums, noise: float, iterations: int = 4) -> Tensor:
    """Sky power per ring (ring,) that maximises the likelihood of the frames' sums, by Fisher scoring.

    |B|^2 = A^2 S + A noise on average, so S = <w (|B|^2 - A noise)> / <w A^2> with w = 1 / (A S + noise)^2. From the
    plain ratio it converges in one or two iterations; expectation-maximisation would need thousands where A is small
    and the first guess low.
    """
    power, own_cross = total.own_power, total.own_cross
    cross = own_cross.real**2 + own_cross.imag**2
    number = rings(total.size, power.device)
    transfer = ring_mean(power, number) / total.frames
    dark = transfer < 1e-9  # beyond the telescope's cut-off: only rounding errors pass
    least = 1e-3 * noise / total.frames / transfer.masked_fill(dark, 1.0)  # keeps a ring without signal above zero
    weight = torch.ones_like(power)
    for _ in range(iterations if total.sampling.is_full else 1):
        excess, full = ring_mean(weight * (cross - noise * power), number), ring_mean(weight * power**2, number)
        sky_power = torch.maximum((excess / full.clamp_min(1e-30)).masked_fill(dark, 0.0), least)
        weight = (noise / (power * sky_power[number] + noise)) ** 2
    if not total.sampling.is_full:
        for _ in range(iterations):
            sky_power = torch.maximum(_scored(total, noise, sky_power).masked_fill(dark, 0.0), least)
    return sky_power


def _scored(total: Sums, noise: float, sky_power: Tensor) -> Tensor:
    """One step of Fisher scoring of the sky's ring power (ring,) from sums over aliases."""
    number = rings(total.size, total.power.device)
    scaled = Scaled(total.power, floor_of(sky_power, noise, total.size).double(), total.sampling, double=True)
    sky = scaled.on_half_plane(scaled.solve(total.cross.to(torch.complex128)).abs().permute(1, 2, 0))
    power = sky_power.double()[number].clamp_min(1e-30)
    information = scaled.known() / power
    score = ring_mean((sky / power) ** 2 - information, number)
    moved = sky_power + (score / ring_mean(information**2, number).clamp_min(1e-300)).float()
    return torch.minimum(torch.maximum(moved, sky_power * 0.05), sky_power * 20)


def flattened_prior(sky_power: Tensor, size: int) -> Tensor:
    """Geometric mean (ring,) of the sky power per ring and its mean over all coefficients.

    Early in a solve the fine rings' power is underestimated; a prior held at it would keep them dark.
    """
    return (sky_power * sky_power[rings(size, sky_power.device)].mean()).sqrt()


def positive(sky: Tensor) -> Tensor:
    """The sky clipped at zero and scaled back to its former sum."""
    total = sky.sum()
    if float(total) <= 0:
        return sky.clamp_min(0)
    clipped = sky.clamp_min(0)
    return clipped * (total / clipped.sum())
