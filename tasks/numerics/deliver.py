"""The sky that is delivered: its prior chosen by the data, its amplitude held to the air's mean power, seen through T."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.likelihood import Sums
from tasks.numerics.pupil import perfect, pupil, ring_mean, rings
from tasks.numerics.sky import positive, renew_power, tie, wiener
from tasks.numerics.speckle import RINGS

TURNS = 8
"""Turns of expectation-maximisation after which the sky's ring power has settled."""
WIDEST = 4.0
"""The most by which the amplitude of a ring is corrected: beyond it the estimate, not the sky, is wrong."""


@dataclass(frozen=True)
class Delivered:
    """A sky in its three shapes."""

    sky: Tensor
    """(y, x) on the canvas, as the telescope would show it without air."""
    spectrum: Tensor
    """(y, x//2+1) before the telescope."""
    sky_power: Tensor
    """(ring,) power per coefficient, chosen by the data."""


def deliver(
    total: Sums, noise: float, mean_power: NDArray[np.float64] | None, eye: tuple[float, float], prior: str,
    sky_power: Tensor | None = None,
) -> Delivered:  # fmt: skip
    """Sums of all frames to a sky. `eye` is (pupil diameter in cells, obstruction); `mean_power` the air's <|H|^2>."""
    size = total.power.shape[-2]
    telescope = perfect(pupil(size, *eye, 3))
    number = rings(size)
    if mean_power is not None:
        total = tied(total, mean_power, eye[0] / size)
    power = sky_power if sky_power is not None else _start(total, number)
    if sky_power is None:
        power = renew_power(total, power, noise, TURNS)
    spectrum = wiener(total, noise / power[number])
    sky = torch.fft.irfft2(telescope * spectrum, s=(size, size))
    return Delivered(positive(sky) if prior == "positive" else sky, spectrum, power)


def tied(total: Sums, mean_power: NDArray[np.float64], cutoff: float) -> Sums:
    """The sums with every ring of H scaled so that its mean power is the air's; what H loses the sky gains."""
    size = total.power.shape[-2]
    number = rings(size)
    found = ring_mean(total.power, number) / max(1, total.frames)
    where = np.arange(len(found)) / size / cutoff
    wanted = np.exp(np.interp(where, RINGS, np.log(np.maximum(mean_power, 1e-9))))
    wanted[where > 1] = 0.0  # nothing is known beyond the cut-off
    ratio = 1 / tie(found, torch.from_numpy(wanted).float(), limit=WIDEST)
    scale = _smooth(ratio)[number]
    return Sums(total.power * scale**2, total.cross * scale, total.frames)


def _smooth(curve: Tensor) -> Tensor:
    """A ring curve averaged over three rings, the zeroth kept: flux is what it is."""
    padded = torch.cat([curve[:1], curve, curve[-1:]])
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return torch.cat([curve[:1], smooth[1:]])


def _start(total: Sums, number: Tensor) -> Tensor:
    """Ring power of the sky where A is large, a steep law beyond: where expectation-maximisation begins."""
    sky = total.cross / total.power.clamp_min(0.05 * total.frames)
    return ring_mean(sky.real**2 + sky.imag**2, number).clamp_min(1e-20)
