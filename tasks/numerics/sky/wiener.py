"""From the sums A and B to the sky: Wiener, the ring prior, and the picture that is delivered."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tasks.numerics.optics.pupil import frequencies, ring_mean, rings
from tasks.numerics.sky.likelihood import Sums


def wiener(total: Sums, floor: Tensor) -> Tensor:
    """Best sky spectrum (y, x//2+1) under a Gaussian prior: B / (A + g), g = noise / sky power."""
    return total.cross / (total.power + floor)


def corner_noise(spectra: Tensor, cutoff: float, margin: float = 1.03) -> float:
    """Noise power per coefficient of spectra (frame, y, x//2+1) from where no light can be.

    That is beyond `cutoff` cycles per pixel; pixels too coarse to have such corners give the highest tenth instead.
    """
    size = spectra.shape[-2]
    f = frequencies(size, spectra.device)
    dark = f > min(cutoff * margin, float(torch.quantile(f.reshape(-1), 0.9)))
    dark[:, 0] = dark[:, -1] = False  # borders and column noise live on the axes
    dark[0, :] = dark[size // 2, :] = False
    corner = spectra[:, dark]
    # The median of an exponential law is ln 2 of its mean, and deaf to a few bright lines.
    return float((corner.real**2 + corner.imag**2).median() / math.log(2))


def ring_light(spectra: Tensor) -> Tensor:
    """Mean |Y|^2 (ring,) of spectra (frame, y, x//2+1)."""
    mean = (spectra.real**2 + spectra.imag**2).mean(0)
    return ring_mean(mean, rings(spectra.shape[-2], spectra.device))


def power_law(mean: Tensor, low: int = 2, high: int = 6, exponent: float = 3.0) -> Tensor:
    """First guess of the sky's power per ring (ring,): the law f^-exponent through the lowest rings of a spectrum.

    `mean` is the mean frame's spectrum (y, x//2+1); air hardly dims its rings `low` .. `high` - 1.
    """
    seen = ring_mean(mean.real**2 + mean.imag**2, rings(mean.shape[-2], mean.device))
    ring = torch.arange(len(seen), device=seen.device, dtype=seen.dtype).clamp_min(1)
    level = (seen[low:high].clamp_min(1e-30) * ring[low:high] ** exponent).log().mean().exp()
    law = level * ring**-exponent
    law[0] = torch.maximum(seen[0], law[0])
    return law


def floor_of(sky_power: Tensor, noise: float, size: int) -> Tensor:
    """Wiener's g (y, x//2+1) from the sky's power per ring (ring,)."""
    return noise / sky_power[rings(size, sky_power.device)].clamp_min(1e-30)


def ring_power(total: Sums, noise: float, turns: int = 4) -> Tensor:
    """Sky power per ring (ring,) that makes the frames' sums most probable, by Fisher scoring.

    |B|^2 = A^2 S + A noise on average, so S = <w (|B|^2 - A noise)> / <w A^2> with w = 1 / (A S + noise)^2: from the plain
    ratio a turn or two settle it. Where expectation-maximisation would need thousands of turns, because A is small and
    the first guess low, it comes straight to the answer.
    """
    power, seen = total.power, total.cross.real**2 + total.cross.imag**2
    number = rings(power.shape[-2], power.device)
    light = ring_mean(power, number) / total.frames
    dark = light < 1e-9  # beyond the telescope's cut-off: rounding is all that passes
    least = 1e-3 * noise / total.frames / light.masked_fill(dark, 1.0)  # a ring without signal keeps a trace of power
    weight = torch.ones_like(power)
    for _ in range(turns):
        excess, full = ring_mean(weight * (seen - noise * power), number), ring_mean(weight * power**2, number)
        sky_power = torch.maximum((excess / full.clamp_min(1e-30)).masked_fill(dark, 0.0), least)
        weight = (noise / (power * sky_power[number] + noise)) ** 2
    return sky_power


def loosened(sky_power: Tensor, size: int) -> Tensor:
    """Sky power per ring (ring,) half way, in decibels, to one number for all rings: their mean over all coefficients.

    Where a search begins no ring has yet the power it should, the finest least: held to what was found they stay dark.
    """
    return (sky_power * sky_power[rings(size, sky_power.device)].mean()).sqrt()


def positive(sky: Tensor) -> Tensor:
    """The sky without negative light, its sum kept: what clipping adds is taken from all light in proportion."""
    total = sky.sum()
    if float(total) <= 0:
        return sky.clamp_min(0)
    clipped = sky.clamp_min(0)
    return clipped * (total / clipped.sum())
