"""Held-out frames compare two skies: only their PSFs are fitted, to each sky, and the residuals are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.adam import adam_step, cosine_rate
from tasks.numerics.fourier.rings import frequencies, ring_mean, rings
from tasks.numerics.fourier.sampling import FULL, Sampling, masked
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.propagation import CHUNK, Propagation, by_columns
from tasks.numerics.optics.pupil import Pupil, band_limited, otfs
from tasks.numerics.sky.likelihood import Misfit, chi2

MIN_FRAMES = 5
"""Fewer frames than this do not show their own scatter."""
COARSE_FRACTION = 0.25
"""Rings below this fraction of the cut-off are coarse: blur hardly touches them, and whoever fails there fails badly."""
MIN_ERROR = 0.01
"""Smallest standard error of the difference of so few frames, as a fraction of the residual power."""


@dataclass(frozen=True)
class HeldoutFrames:
    """Held-out frames of one colour."""

    pupil: Pupil
    spectra: Tensor
    """(frame, y, x//2+1)."""
    noise: float
    """Power per coefficient."""
    sampling: Sampling = FULL
    """The pixels that the frames have, on the canvas."""

    def rows(self, rows: range) -> HeldoutFrames:
        """Some of them."""
        return replace(self, spectra=self.spectra[rows.start : rows.stop])


@dataclass(frozen=True)
class Verdict:
    """How well two skies fit the same held-out frames."""

    frames: int
    """Number of held-out frames."""
    sky: float
    """Median over the frames of |Y - H X|^2 over the noise, per coefficient below the cut-off; one is noise alone."""
    stack: float
    """The same for the other sky."""
    prefers_sky: bool
    """Whether the sky fits better by more than twice the standard error of the median difference."""
    whiteness: float
    """Mean departure from one of the residual's ring power over the noise; zero is white."""
    chi2_per_frame: NDArray[np.float32]
    """(2, frame) each frame's residual power over the noise, for the sky and for the other."""
    coarse_is_worse: bool = False
    """Whether the other explains the coarse rings better by more than twice the standard error."""


@dataclass(frozen=True)
class HeldoutFit:
    """Some held-out frames fitted to two skies."""

    chi2: Tensor
    """(2, frame) residual power over the noise of each frame, for the sky and for the other."""
    residual_power: Tensor
    """(y, x//2+1) sum over the frames of the sky's residual power over the noise."""
    coarse_chi2: Tensor | None = None
    """(2, frame) as `chi2`, of the coarse rings alone."""


def fit_frames(
    pupil: Pupil,
    spectra: Tensor,
    skies: tuple[Tensor, Tensor],
    noise: float,
    d_over_r0: float,
    steps: int,
    sampling: Sampling = FULL,
) -> HeldoutFit:
    """Fit the phases of frames (frame, y, x//2+1) to each of two sky spectra; `noise` is the power per coefficient."""
    used = (frequencies(pupil.size, spectra.device) < pupil.cutoff).float()
    level = torch.tensor(noise, device=spectra.device)
    sigma = torch.from_numpy(phase_sigma(len(pupil.modes), d_over_r0)).to(spectra.device)
    coarse = (frequencies(pupil.size, spectra.device) < COARSE_FRACTION * pupil.cutoff).float()
    chi2s, transfers, coarse_chi2s = [], [], []
    for sky in skies:
        phases = fit(pupil, spectra, sky, level, sigma, steps, sampling)
        transfers.append(torch.cat([otfs(pupil, phases[i : i + CHUNK]) for i in range(0, len(phases), CHUNK)]))
        chi2s.append(chi2(spectra, transfers[-1], sky, level, used, sampling))
        coarse_chi2s.append(chi2(spectra, transfers[-1], sky, level, coarse, sampling))
    residual = spectra - masked(transfers[0] * skies[0], sampling)
    power = (residual.real**2 + residual.imag**2).sum(0) / (level * sampling.density)
    return HeldoutFit(torch.stack(chi2s), power, torch.stack(coarse_chi2s))


def judging_noise(read: float, left: float, least: float, sampling: Sampling) -> float:
    """Noise of held-out frames: as `read` from them, but where light aliases as it was `left` of solved frames.

    There no frequency is dark, and the light of the darkest raises the reading. Rounding leaves at `least` so much.
    """
    return read if sampling.is_full else min(read, max(left, least))


def verdict_of(fits: Sequence[HeldoutFit], cutoff: float) -> Verdict:
    """What all held-out frames say together; `cutoff` in cycles per pixel."""
    sky, stack = torch.cat([part.chi2 for part in fits], dim=1)
    power = torch.stack([part.residual_power for part in fits]).sum(0) / len(sky)
    chi2_per_frame = torch.stack([sky, stack]).cpu().numpy()
    best, other = float(sky.median()), float(stack.median())
    coarse = [part.coarse_chi2 for part in fits if part.coarse_chi2 is not None]
    worse = bool(coarse) and _prefers_first(*torch.cat(coarse, dim=1).flip(0))
    return Verdict(len(sky), best, other, _prefers_first(sky, stack), _whiteness(power, cutoff), chi2_per_frame, worse)


def _prefers_first(first: Tensor, second: Tensor) -> bool:
    """Whether the first sky's chi squared (frame,) is lower by more than twice the standard error of the median."""
    gain = second - first
    middle = gain.median()
    # Medians: a frame whose fit is stuck would outweigh all others.
    error = 1.86 * float((gain - middle).abs().median()) / len(gain) ** 0.5
    if len(gain) < MIN_FRAMES:
        error = max(error, MIN_ERROR * float(second.mean()))
    return bool(torch.isfinite(gain).all()) and float(middle) > 2 * error


def _whiteness(power: Tensor, cutoff: float) -> float:
    """Mean departure from one, below the cut-off, of a residual's power (y, x//2+1) over the noise, ring by ring."""
    size = power.shape[-2]
    inside = ring_mean(power, rings(size, power.device))[2 : max(3, int(cutoff * size))]
    return float((inside - 1).abs().mean())


def fit(
    pupil: Pupil,
    spectra: Tensor,
    sky: Tensor,
    noise: Tensor,
    phase_sigma: Tensor,
    steps: int,
    sampling: Sampling = FULL,
) -> Tensor:
    """Phases (frame, mode) that fit each frame to a given sky: annealed Adam from flat phases."""
    sky, phases = band_limited(pupil, sky), torch.zeros(len(spectra), len(phase_sigma), device=spectra.device)
    first, second = torch.zeros_like(phases), torch.zeros_like(phases)
    optics, misfit, columns = Propagation(pupil, len(spectra)), Misfit(sky, noise, sampling), by_columns(spectra)
    for step in range(steps):
        hot = max(1.0, 100.0 ** (1 - step / (0.6 * steps)))
        gradient = _gradient(optics, columns, misfit, phases) / hot + phases / phase_sigma**2
        first, second, direction = adam_step(gradient, first, second, step)
        phases = phases - cosine_rate(0.15, step, steps) * direction
    return phases


def _gradient(optics: Propagation, spectra: Tensor, misfit: Misfit, phases: Tensor) -> Tensor:
    """Gradient by its phases of half the chi squared of every frame (frame, x//2+1, y)."""
    grads = []
    for frames in optics.chunks():
        transfer = optics.conjugate_transfer(frames, phases[frames])
        grads.append(optics.phase_gradient(frames, misfit.derivative(spectra[frames], transfer)))
    return torch.cat(grads)
