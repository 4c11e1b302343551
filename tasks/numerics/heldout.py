"""The judge: frames that no sky has seen are fitted with PSFs only, to one sky and to another; which explains them better?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.numerics.air import noll_variances
from tasks.numerics.likelihood import chi2, pull_back
from tasks.numerics.pupil import Pupil, cells_of, fields, frequencies, light, otfs, ring_mean, rings
from tasks.numerics.sky import corner_noise

CHUNK = 8


@dataclass(frozen=True)
class Verdict:
    """How two skies explain the same unseen frames."""

    frames: int
    """How many frames judged."""
    sky: float
    """Mean |Y - H X|^2 over the noise, per coefficient below the cut-off; one is perfect."""
    stack: float
    """The same for the other sky."""
    whiteness: float
    """Largest departure from one of the residual's ring power over the noise, as a mean over the rings."""


def judge(eye: Pupil, spectra: Tensor, sky: Tensor, stack: Tensor, d_over_r0: float, steps: int) -> Verdict:
    """Fit the phases of the frames (frame, y, x//2+1) to each of two sky spectra and compare what is left."""
    cutoff = eye.box / eye.size
    seen = (frequencies(eye.size, spectra.device) < cutoff).float()
    noise = torch.tensor(corner_noise(spectra, cutoff), device=spectra.device)
    spread = torch.from_numpy(noll_variances(len(eye.modes)) * d_over_r0 ** (5 / 3)).sqrt().float().to(spectra.device)
    left = []
    for x in (sky, stack):
        phases = fit(eye, spectra, x, noise, spread, steps)
        transfer = torch.cat([otfs(eye, phases[i : i + CHUNK]) for i in range(0, len(phases), CHUNK)])
        left.append((float(chi2(spectra, transfer, x, noise, seen).median()), transfer))
    rest = spectra - left[0][1] * sky
    curve = ring_mean((rest.real**2 + rest.imag**2).mean(0) / noise, rings(eye.size, spectra.device))
    inside = curve[2 : max(3, int(cutoff * eye.size))]
    return Verdict(len(spectra), left[0][0], left[1][0], float((inside - 1).abs().mean()))


def fit(eye: Pupil, spectra: Tensor, sky: Tensor, noise: Tensor, spread: Tensor, steps: int) -> Tensor:
    """Phases (frame, mode) that explain each frame by a given sky: Adam from two sharpnesses of start, cooled from hot."""
    phases = torch.zeros(len(spectra), len(spread), device=spectra.device)
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
        transfer = torch.fft.rfft2((field.real**2 + field.imag**2) / light(eye))
        force = (sky * transfer - spectra[start : start + CHUNK]) * (sky.conj() / noise)
        grads.append(pull_back(eye, cells, field, force))
    return torch.cat(grads)
