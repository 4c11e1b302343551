"""One clean frame of a burst without learning: the best of window means, the mean of all others, and non-local means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

WINDOWS = (1, 2, 4, 7)
"""Half widths of the windows that are tried, in frames."""
NLM_STRENGTH = 0.8
"""Filter strength of non-local means in units of the noise."""
PROBE = 0.1
"""Size of the random change, in units of the noise, with which the sensitivity of non-local means is measured."""


@dataclass(frozen=True)
class Estimate:
    """A clean frame, how it was made, and how wrong it is."""

    picture: Image
    """(y, x)."""
    method: str
    mse: float
    """Mean squared error, estimated without the truth."""


def without_frame(frames: Image, number: int, sigma: float) -> Estimate:
    """The best estimate of a frame (y, x) from the others of a registered burst (frame, y, x).

    The frame itself only judges: its noise is independent of the estimates, so that its squared difference is theirs to the
    truth plus the noise.
    """
    target, others = frames[number], np.delete(np.arange(len(frames)), number)
    found = []
    for half in (*WINDOWS, len(frames)):
        near = others[np.abs(others - number) <= half]
        picture = frames[near].mean(axis=0, dtype=np.float32)
        method = "mean of all others" if half == len(frames) else f"mean of the frames up to {half} away"
        found.append(Estimate(picture, method, _mse(picture, target, sigma)))
    return min(found, key=lambda each: each.mse)


def best_classical(frames: Image, number: int, sigma: float) -> Estimate:
    """The best of `without_frame` and of non-local means of the frame itself."""
    return min(without_frame(frames, number, sigma), non_local(frames[number], sigma), key=lambda each: each.mse)


def non_local(frame: Image, sigma: float) -> Estimate:
    """Non-local means of one frame (y, x), its error by Stein's estimate with a random probe."""
    probe = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), frame.shape)
    step = np.float32(PROBE * sigma)
    picture = _denoised(frame, sigma)
    sensitivity = float(
        np.mean(probe * (_denoised(np.asarray(frame + step * probe, np.float32), sigma) - picture), dtype=np.float64)
    ) / float(step)
    left = float(np.mean((picture - frame) ** 2, dtype=np.float64))
    return Estimate(picture, "non-local means", max(left - sigma**2 + 2 * sigma**2 * sensitivity, 1e-3 * sigma**2))


def fused(estimate: Estimate, frame: Image, sigma: float) -> Image:
    """An estimate that never saw the frame (y, x), and the frame, each weighted by the inverse of its variance."""
    share = np.float32(estimate.mse / (estimate.mse + sigma**2))
    return np.asarray(estimate.picture + share * (frame - estimate.picture), np.float32)


def residual_ratio(estimate: Image, frame: Image, sigma: float) -> float:
    """Standard deviation of what an estimate leaves of the frame, over the noise: below one it has copied noise."""
    return float(np.std(frame - estimate, dtype=np.float64)) / sigma


def _mse(picture: Image, target: Image, sigma: float) -> float:
    return max(float(np.mean((picture - target) ** 2, dtype=np.float64)) - sigma**2, 1e-3 * sigma**2)


def _denoised(frame: Image, sigma: float) -> Image:
    from skimage.restoration import denoise_nl_means

    h = NLM_STRENGTH * sigma
    clean = denoise_nl_means(frame, patch_size=5, patch_distance=6, h=h, sigma=sigma, fast_mode=True)
    return np.asarray(clean, np.float32)
