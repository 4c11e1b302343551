"""The judge: frames that no sky has seen are fitted with PSFs only, to one sky and to another; which explains them better?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.optics.kolmogorov import noll_variances
from tasks.numerics.optics.pupil import (
    Pupil,
    cells_of,
    fields,
    frequencies,
    intensity,
    otfs,
    passed,
    ring_mean,
    rings,
    spectra_of,
)
from tasks.numerics.sky.likelihood import chi2, pull_back
from tasks.numerics.sky.wiener import corner_noise

CHUNK = 8
FEW = 5
"""Fewer frames than this cannot tell how much they differ by chance."""
ALONE = 0.01
"""The least standard error of their word, as a share of what is left."""


@dataclass(frozen=True)
class Verdict:
    """How two skies explain the same unseen frames."""

    frames: int
    """How many frames judged."""
    sky: float
    """Median over the frames of |Y - H X|^2 over the noise, per coefficient below the cut-off; one is perfect."""
    stack: float
    """The same for the other sky."""
    prefers_sky: bool
    """The frames are better explained by the sky, by more than chance: twice the standard error of the median difference."""
    whiteness: float
    """Mean departure from one of the residual's ring power over the noise; zero is white."""
    each: NDArray[np.float32]
    """(2, frame) what is left of each frame by the sky and by the other."""


def judge(eye: Pupil, spectra: Tensor, sky: Tensor, stack: Tensor, d_over_r0: float, steps: int) -> Verdict:
    """Fit the phases of the frames (frame, y, x//2+1) to each of two sky spectra and compare what is left."""
    cutoff = eye.cutoff
    seen = (frequencies(eye.size, spectra.device) < cutoff).float()
    noise = torch.tensor(corner_noise(spectra, cutoff), device=spectra.device)
    spread = torch.from_numpy(noll_variances(len(eye.modes)) * d_over_r0 ** (5 / 3)).sqrt().float().to(spectra.device)
    left, transfers = [], []
    for x in (sky, stack):
        phases = fit(eye, spectra, x, noise, spread, steps)
        transfers.append(torch.cat([otfs(eye, phases[i : i + CHUNK]) for i in range(0, len(phases), CHUNK)]))
        left.append(chi2(spectra, transfers[-1], x, noise, seen))
    rest = spectra - transfers[0] * sky
    curve = ring_mean((rest.real**2 + rest.imag**2).mean(0) / noise, rings(eye.size, spectra.device))
    inside = curve[2 : max(3, int(cutoff * eye.size))]
    gain = left[1] - left[0]
    middle = gain.median()
    # Medians: a frame whose fit is stuck would outweigh all others. Few frames cannot tell their own scatter.
    error = 1.86 * float((gain - middle).abs().median()) / len(gain) ** 0.5
    if len(gain) < FEW:
        error = max(error, ALONE * float(left[1].mean()))
    prefers = bool(torch.isfinite(gain).all()) and float(middle) > 2 * error
    best, other = (float(rest.median()) for rest in left)
    each = torch.stack(left).cpu().numpy()
    return Verdict(len(spectra), best, other, prefers, float((inside - 1).abs().mean()), each)


def fit(eye: Pupil, spectra: Tensor, sky: Tensor, noise: Tensor, spread: Tensor, steps: int) -> Tensor:
    """Phases (frame, mode) that explain each frame by a given sky: Adam from flat, cooled from hot."""
    sky, phases = passed(eye, sky), torch.zeros(len(spectra), len(spread), device=spectra.device)
    first, second = torch.zeros_like(phases), torch.zeros_like(phases)
    for turn in range(steps):
        hot = max(1.0, 100.0 ** (1 - turn / (0.6 * steps)))
        gradient = _slope(eye, spectra, sky, noise * hot, phases) + phases / spread**2
        first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
        pace = 0.15 * 0.5 * (1 + math.cos(math.pi * turn / steps))
        move = first / (1 - 0.9 ** (turn + 1)) / ((second / (1 - 0.99 ** (turn + 1))).sqrt() + 1e-12)
        phases = phases - pace * move
    return phases


def _slope(eye: Pupil, spectra: Tensor, sky: Tensor, noise: Tensor, phases: Tensor) -> Tensor:
    """Gradient of half the chi squared of every frame by its phases."""
    grads = []
    for start in range(0, len(phases), CHUNK):
        cells = cells_of(eye, phases[start : start + CHUNK])
        field = fields(eye, cells)
        transfer = spectra_of(eye, intensity(eye, field))
        force = (sky * transfer - spectra[start : start + CHUNK]) * (sky.conj() / noise)
        grads.append(pull_back(eye, cells, field, force))
    return torch.cat(grads)
