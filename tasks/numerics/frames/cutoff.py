"""The optical cut-off of a telescope that nobody told, from the frames' mean power spectrum, with its uncertainty.

Frames pass |H|^2, of which short exposures keep a part all the way to the cut-off. A power law of the sky times that part
is fitted to the power above the noise for every cut-off and turbulence of a grid; what imagers choose is the prior.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.fourier.rings import radius

F64 = NDArray[np.float64]

USUAL_CPP, USUAL_LOG_SIGMA = 0.4, 0.35
"""Before the frames are looked at: imagers sample so that the cut-off lies between 0.25 and 0.5 cycles/px or beyond."""
CUTOFFS_CPP: F64 = np.geomspace(0.12, 0.65, 40)
"""Cut-offs that are tried."""
D_OVER_R0 = (2.5, 4.0, 6.0, 9.0, 14.0)
"""Strengths of the turbulence that are tried."""
MAX_CPP = 0.5
"""Pixels hold no more along their rows; a higher cut-off counts as this one."""
RING_CPP = 0.005
"""Least width of a ring."""
FIRST_CPP, LAST_CPP = 0.05, 0.58
"""Rings that are fitted."""
FLOOR_CPP: F64 = np.linspace(0.3, 0.7, 11)
"""Edges of the bands, the lowest of which is the noise: hot pixels and rows may raise any of them."""
AXIS_CPP = 0.02
"""Half width of the cross along the axes that is left out: it holds leaked borders and the noise of whole rows."""
MIN_VALUES = 4
"""Smallest number of coefficients of a ring that is fitted."""
FLOOR_ERROR, LEVEL_ERROR = 0.005, 0.04
"""Errors of the noise as a fraction of it: of a ring by itself, and of all fitted rings together."""
MAX_TILT = 1.1
"""Light between 0.58 and 0.63 cycles/px over that beyond: more is no noise but light, or coloured noise."""
SKY_ERROR = 0.3
"""A sky is no power law: relative error of a ring's power in the model."""
LIKELIHOOD_POWER = 0.25
"""Departures of neighbouring rings from a power law go together: each counts as a fourth."""
SLOPE, SLOPE_SIGMA, BEND_SIGMA = 2.5, 1.0, 0.5
"""Prior of the sky's power law, power ~ f^-slope, and of its second derivative in the logarithm."""
LARGEST = 4.0
"""Residuals, in standard deviations, count no more than this: a ring may hold anything."""
ITERATIONS = 12
"""Of the fit's Gauss-Newton steps."""
SEEN_SIGMAS, MIN_SEEN = 5.0, 4
"""Light of a ring is seen above so many standard errors; fewer such rings say nothing."""
MODEL_LOG_SIGMA = 0.05
"""Relative error that the model adds: on 35 simulated captures what is found sharply comes out up to 4 % too low."""
FOUND_LOG_SIGMA = 0.15
"""Largest relative error of a cut-off that the frames have found; beyond it is mostly what is usual."""


@dataclass(frozen=True)
class CutoffEstimate:
    """A cut-off with its uncertainty."""

    cutoff_cpp: float
    """cycles/px."""
    log_sigma: float
    """Standard deviation of its logarithm."""


NOT_FOUND = CutoffEstimate(USUAL_CPP, USUAL_LOG_SIGMA)
"""What is assumed where the frames say nothing."""


def estimate_cutoff(power: NDArray[np.floating], shape: tuple[int, int], frames: int) -> CutoffEstimate:
    """From the mean power |rfft2|^2 (y, x//2+1) of `frames` tapered frames of `shape`."""
    frequency, rings, values = _ring_means(power, shape)
    floor = _floor(frequency, rings, values)
    if frames < 1 or floor <= 0:
        return NOT_FOUND
    used = (values >= MIN_VALUES) & (frequency >= FIRST_CPP) & (frequency <= LAST_CPP)
    error = floor * np.hypot(1 / np.sqrt(frames * values[used]), FLOOR_ERROR)
    light = rings[used] - floor
    if (light > SEEN_SIGMAS * error + LEVEL_ERROR * floor).sum() < MIN_SEEN:
        return NOT_FOUND
    misfit = _misfits(frequency[used], light / error, LEVEL_ERROR * floor / error)
    return _posterior(-0.5 * LIKELIHOOD_POWER * (misfit - misfit.min()))


def _posterior(log_likelihood: F64) -> CutoffEstimate:
    """Mean and standard deviation of the cut-off's logarithm, what pixels cannot hold counted as what they hold."""
    logs = np.log(CUTOFFS_CPP)
    log_weight = log_likelihood - 0.5 * ((logs - np.log(USUAL_CPP)) / USUAL_LOG_SIGMA) ** 2
    weight = np.exp(log_weight - log_weight.max())
    held = np.minimum(logs, np.log(MAX_CPP))
    mean = float(np.average(held, weights=weight))
    spacing = float(logs[1] - logs[0])
    spread = float(np.average((logs - np.average(logs, weights=weight)) ** 2, weights=weight))
    return CutoffEstimate(float(np.exp(mean)), float(np.sqrt(spread + spacing**2 / 12 + MODEL_LOG_SIGMA**2)))


def _floor(frequency: F64, rings: F64, values: F64) -> float:
    """The noise; zero where the spectrum does not end in it."""

    def mean(first: float, last: float) -> float:
        inside = (frequency >= first) & (frequency < last)
        return float((rings * values)[inside].sum() / max(values[inside].sum(), 1e-30))

    if mean(LAST_CPP, 0.63) > MAX_TILT * mean(0.63, FLOOR_CPP[-1]):
        return 0.0
    return min(mean(*edges) for edges in pairwise(FLOOR_CPP))


@dataclass(frozen=True)
class _Rings:
    """Light of rings, and what passes the telescopes of a grid.

    Both are compared as arsinh(light / 2): a difference where there is hardly light, a ratio where there is much.
    """

    frequency: F64
    """(ring,) cycles/px."""
    light: F64
    """(ring,) in standard errors."""
    level_error: F64
    """(ring,) that all share: error of the noise's level, in standard errors."""
    passed: F64
    """(model, ring) logarithm of the mean |H|^2."""

    @property
    def columns(self) -> F64:
        """(ring, 3) of the logarithm of the sky's power: level, slope and bend; the noise's error is a fourth parameter."""
        logs = np.log(self.frequency / 0.15)
        return np.stack([np.ones_like(logs), -logs, -(logs**2)], axis=1)

    @property
    def weight(self) -> F64:
        """(ring,) one over the standard error of a difference."""
        half = np.maximum(self.light, 0) / 2
        return np.asarray(np.sqrt(1 + half**2) / np.hypot(0.5, SKY_ERROR * half))

    def start(self) -> F64:
        """Parameters (model, 4)."""
        bright = self.light > 2 * SEEN_SIGMAS
        levels = np.zeros(len(self.passed))
        if bright.any():
            levels = np.median(np.log(self.light[bright]) - self.passed[:, bright], axis=1)
        return np.stack([levels, *(np.full(len(levels), each) for each in (SLOPE, 0.0, 0.0))], axis=1)

    def residuals(self, at: F64) -> tuple[F64, F64]:
        """Of (model, ring), and their negative derivatives (model, ring, parameter)."""
        half = np.exp(np.clip(at[:, :3] @ self.columns.T + self.passed, -60, 60)) / 2
        level = np.broadcast_to(self.level_error[:, None] / 2, (*half.shape, 1))
        slopes = np.concatenate([half[:, :, None] * self.columns, level], axis=2)
        model = half + at[:, 3:] * self.level_error / 2
        off = (np.arcsinh(self.light / 2) - np.arcsinh(model)) * self.weight
        return off, slopes * (self.weight / np.sqrt(1 + model**2))[:, :, None]


_CENTRE: F64 = np.array([0.0, SLOPE, 0.0, 0.0])
_PRECISION: F64 = np.array([1e-6, SLOPE_SIGMA**-2, BEND_SIGMA**-2, 1.0])


def _misfits(frequency: F64, light: F64, level_error: F64) -> F64:
    """Least misfit (cutoff,) of models to the light (ring,) of rings in standard errors: damped Gauss-Newton steps."""
    rings = _Rings(frequency, light, level_error, np.log(np.maximum(_mean_transfer(frequency), 1e-30)))

    def cost(at: F64) -> F64:
        off = np.minimum(np.abs(rings.residuals(at)[0]), LARGEST)
        return np.asarray((off**2).sum(1) + ((at - _CENTRE) ** 2 * _PRECISION).sum(1))

    solved = rings.start()
    best, damping = cost(solved), np.full(len(solved), 1e-2)
    for _ in range(ITERATIONS):
        off, slopes = rings.residuals(solved)
        slopes = slopes * np.minimum(1, LARGEST / np.maximum(np.abs(off), 1e-30))[:, :, None]
        right = (slopes * np.clip(off, -LARGEST, LARGEST)[:, :, None]).sum(1) - (solved - _CENTRE) * _PRECISION
        normal = slopes.transpose(0, 2, 1) @ slopes + np.diag(_PRECISION)
        normal = normal + damping[:, None, None] * normal * np.eye(4)
        trial = solved + np.clip(np.linalg.solve(normal, right[:, :, None])[:, :, 0], -3, 3)
        found = cost(trial)
        better = found < best
        solved, best = np.where(better[:, None], trial, solved), np.where(better, found, best)
        damping = np.where(better, damping / 5, damping * 10)
    return best.reshape(len(CUTOFFS_CPP), len(D_OVER_R0)).min(axis=1)


def _mean_transfer(frequency: F64) -> F64:
    """Mean |H|^2 (model, ring) of short exposures, pixels' light included; all turbulences of the first cut-off first.

    The long exposure's, and what speckles keep beyond it: the share 0.435 (r0 / D)^2 of the telescope's own (Korff 1973).
    """
    cutoff, strength = (each.ravel()[:, None] for each in np.meshgrid(CUTOFFS_CPP, D_OVER_R0, indexing="ij"))
    u = frequency / cutoff
    inside = np.minimum(u, 1)
    ideal = 2 / np.pi * (np.arccos(inside) - inside * np.sqrt(1 - inside**2))
    long_exposure = np.exp(-6.88 * (u * strength) ** (5 / 3))
    return np.asarray((ideal**2 * long_exposure + 0.435 / strength**2 * ideal) * np.sinc(frequency) ** 2)


def _ring_means(power: NDArray[np.floating], shape: tuple[int, int]) -> tuple[F64, F64, F64]:
    """Frequency, mean power and number of coefficients (ring,), those along the axes left out."""
    width = max(1 / min(shape), RING_CPP)
    number = np.rint(radius(shape) / width).astype(np.int64)
    along_y, along_x = np.abs(fft.fftfreq(shape[0]))[:, None], fft.rfftfreq(shape[1])[None]
    kept = ((along_y > AXIS_CPP) & (along_x > AXIS_CPP) & (along_x < 0.5)).astype(np.float64)
    count = int(0.7 / width)
    weights = np.stack([kept, kept * np.asarray(power, np.float64)])
    values, total = (np.bincount(number.ravel(), each.ravel(), count)[:count].astype(np.float64) for each in weights)
    return np.arange(count, dtype=np.float64) * width, total / np.maximum(values, 1e-30), values
