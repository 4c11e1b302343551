"""The sky that is delivered: its prior chosen by the data, its amplitude held to the air's mean power, seen through T."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.likelihood import Sums
from tasks.numerics.pupil import perfect, pupil, ring_mean, rings
from tasks.numerics.sky import floor_of, renew_power, tie, wiener
from tasks.numerics.speckle import RINGS

TURNS = 8
"""Turns of expectation-maximisation after which the sky's ring power has settled."""


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
    power = sky_power if sky_power is not None else renew_power(total, _start(total, number), noise, TURNS)
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


def _start(total: Sums, number: Tensor) -> Tensor:
    """Ring power of the sky where expectation-maximisation begins: inverse filtered, never below a share of A."""
    sky = total.cross / total.power.clamp_min(0.05 * total.frames)
    return ring_mean(sky.real**2 + sky.imag**2, number).clamp_min(1e-20)
