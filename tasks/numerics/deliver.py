"""The sky that is delivered: its prior chosen by the data, its amplitude held to the air's mean power, seen through T."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.likelihood import Sums
from tasks.numerics.pupil import perfect, pupil, ring_mean, rings
from tasks.numerics.shifting import best_move
from tasks.numerics.sky import floor_of, ring_power, tie, wiener
from tasks.numerics.speckle import RINGS

FARTHEST = 4
"""Px by which skies of two batches can be apart: as much as registration can be wrong on average."""


@dataclass(frozen=True)
class Delivered:
    """A sky on the tapered canvas."""

    sky: Tensor
    """(y, x) as the telescope would show it without air."""
    spectrum: Tensor
    """(y, x//2+1) before the telescope."""
    sky_power: Tensor
    """(ring,) power per coefficient, chosen by the data."""


def deliver(
    total: Sums, noise: float, factor: Tensor, eye: tuple[float, float], sky_power: Tensor | None = None
) -> Delivered:
    """Sums of all frames to a sky. `eye` is (pupil diameter in cells, obstruction), `factor` (ring,) from `amplitude`."""
    size = total.power.shape[-2]
    number = rings(size)
    total = Sums(total.power / factor[number] ** 2, total.cross / factor[number], total.frames)
    power = sky_power if sky_power is not None else ring_power(total, noise)
    spectrum = wiener(total, floor_of(power, noise, size))
    sky = torch.fft.irfft2(perfect(pupil(size, *eye, 3)) * spectrum, s=(size, size))
    return Delivered(sky, spectrum, power)


def amplitude(total: Sums, mean_power: NDArray[np.float64], cutoff: float, share: float) -> Tensor:
    """Factor (ring,) on the sky's amplitude that brings the PSFs' mean power to the air's <|H|^2>.

    `share` says how far the air's theory is believed against the solve's own PSFs, 1 wholly, 0 not at all.
    """
    size = total.power.shape[-2]
    found = ring_mean(total.power, rings(size)) / max(1, total.frames)
    where = np.arange(len(found)) / size / cutoff
    wanted = np.exp(np.interp(where, RINGS, np.log(np.maximum(mean_power, 1e-9))))
    wanted[where > 1] = 0.0  # nothing is known beyond the cut-off
    curve = tie(found, torch.from_numpy(wanted).float(), share)
    padded = torch.cat([curve[:1], curve, curve[-1:]])
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return torch.cat([curve[:1], smooth[1:]])  # flux is what it is


def batch_sky(power: NDArray[np.float32], cross: NDArray[np.complex64], noise: float) -> Tensor:
    """Spectrum (y, x//2+1) of the sky that one batch of frames sees by itself, as dim as they show it."""
    total = Sums(torch.from_numpy(power), torch.from_numpy(cross), round(float(power[0, 0])))
    sky = wiener(total, floor_of(ring_power(total, noise), noise, len(power)))
    return sky * (total.power / total.frames).sqrt()


def sky_move(first: Tensor, other: Tensor) -> tuple[float, float]:
    """By how much (dy, dx) px the other sky's spectrum must be moved to lie on the first."""
    _, dy, dx = best_move((first * other.conj()).numpy(), len(first), FARTHEST)
    return dy, dx
