"""The sky that is delivered: what solves agree on, as bright as the frames and the air say, seen through T."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.shifts import best_move
from tasks.numerics.optics.pupil import perfect, pupil, ring_mean, rings
from tasks.numerics.seeing.speckle_transfer import RINGS
from tasks.numerics.sky.half_agreement import Halves, agreement, smooth
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import floor_of, ring_power, wiener

FARTHEST = 4
"""Px by which skies of two batches can be apart: as much as registration can be wrong on average."""
LIMIT = 4.0
"""Farthest that theory may move a ring's amplitude, either way."""
COARSE = slice(1, 3)
"""Rings that the air hardly dims: the sky's light is as bright there as it was found."""
SEEN = 0.9
"""Share of a ring that must be sky for its brightness to be compared."""
AT_LEAST = 0.75
"""Share of the air's word where it explains all that the PSFs say otherwise: on simulated captures it is nearer the truth."""


@dataclass(frozen=True)
class Air:
    """What is known of the light without knowing the sky."""

    light: Tensor
    """(ring,) mean |Y|^2 of the frames."""
    mean_power: NDArray[np.float64]
    """Mean |H|^2 that the air left them, at `speckle.RINGS`."""
    spread: NDArray[np.float64]
    """Standard deviation of its logarithm."""
    share: float
    """How far this is believed, 1 as far as its spread allows, 0 not at all."""


@dataclass(frozen=True)
class Delivered:
    """A sky on the tapered canvas."""

    sky: Tensor
    """(y, x) as the telescope would show it without air."""
    spectrum: Tensor
    """(y, x//2+1) before the telescope."""
    sky_power: Tensor
    """(ring,) power per coefficient, chosen by the data, in the units of the sums."""
    gain: Tensor
    """(ring,) by which Wiener's sky was multiplied."""


def deliver(found: Halves, air: Air, eye: tuple[float, float]) -> Delivered:
    """Sums of all frames to a sky. `eye` is (pupil diameter in cells, obstruction)."""
    size = found.total.power.shape[-2]
    power = ring_power(found.total, found.noise)
    floor = floor_of(power, found.noise, size)
    gain = ring_gain(found, floor, air, eye[0] / size)
    spectrum = wiener(found.total, floor) * gain[rings(size)]
    sky = torch.fft.irfft2(perfect(pupil(size, *eye, 3)) * spectrum, s=(size, size))
    return Delivered(sky, spectrum, power, gain)


def ring_gain(found: Halves, floor: Tensor, air: Air, cutoff: float) -> Tensor:
    """Factor (ring,) on Wiener's sky X that brings it nearest to the true one.

    Of X's power P the share w is sky, so the best factor is sqrt(w S / P), with S the true sky's power. S needs no sky to
    be known: it is the frames' power without noise over the air's <|H|^2>. The PSFs say otherwise: X is as bright as it
    should be but for what the prior took, which makes the factor w over that. Between them decides how sure each is.
    """
    total = found.total
    size = total.power.shape[-2]
    number = rings(size)
    sky = wiener(total, floor)
    power = ring_mean(sky.real**2 + sky.imag**2, number).clamp_min(1e-30)
    trust = agreement(found, floor)
    kept = ring_mean(total.power / (total.power + floor), number).clamp_min(1e-3)
    where = np.arange(len(power)) / size / cutoff
    theory = np.exp(np.interp(where, RINGS, np.log(np.maximum(air.mean_power, 1e-9))))
    told = smooth((air.light - found.noise).clamp_min(0) / torch.from_numpy(theory).float() / power)
    told = torch.minimum(torch.maximum(told, trust / LIMIT**2), trust * LIMIT**2)
    spread = torch.from_numpy(np.interp(where, RINGS, air.spread)).float()
    seen = (trust > SEEN) & (told > 0) & torch.from_numpy((where > 0) & (where < 1))
    apart = torch.log(told * kept**2 / trust)
    apart = apart - apart[COARSE].mean()  # a common scale divides out below
    share = air.share * belief(apart[seen], spread[seen])
    gain = (trust / kept) ** (1 - share) * (trust * told).sqrt() ** share
    gain = gain / gain[COARSE].mean()
    gain[torch.from_numpy(where) > 1] = 0.0  # nothing is known beyond the cut-off
    gain[0] = 1.0  # light is neither lost nor made
    return gain


def belief(apart: Tensor, spread: Tensor) -> float:
    """Share 0..1 of the air's word against the PSFs', which are `apart` by so much in ln(power) (ring,).

    The air knows how sure it is (`spread`), the PSFs do not. What the two are apart beyond what the air's spread explains
    is the PSFs' doing (James and Stein); they never count more than the rest of `AT_LEAST`.
    """
    if not len(apart):
        return AT_LEAST
    return max(AT_LEAST, 1 - float((spread**2).mean() / (apart**2).mean().clamp_min(1e-12)))


def batch_sky(power: NDArray[np.float32], cross: NDArray[np.complex64], noise: float) -> Tensor:
    """Spectrum (y, x//2+1) of the sky that one batch of frames sees by itself, as dim as they show it."""
    total = Sums(torch.from_numpy(power), torch.from_numpy(cross), round(float(power[0, 0])))
    sky = wiener(total, floor_of(ring_power(total, noise), noise, len(power)))
    return sky * (total.power / total.frames).sqrt()


def sky_move(first: Tensor, other: Tensor) -> tuple[float, float]:
    """By how much (dy, dx) px the other sky's spectrum must be moved to lie on the first."""
    _, dy, dx = best_move((first * other.conj()).numpy(), len(first), FARTHEST)
    return dy, dx
