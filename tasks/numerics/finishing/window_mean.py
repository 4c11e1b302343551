"""One clean frame of a burst without learning: means of its neighbours, moved with the target, and non-local means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.finishing.affine_motion import motion_around, moved_by

Image = NDArray[np.float32]

WINDOWS = (1, 2, 4, 7)
"""Half widths of the windows that are tried, in frames."""
MIN_MOVED = 5
"""Fewest frames of a burst whose motion is looked for."""
NLM_STRENGTH = 0.8
"""Filter strength of non-local means in units of the noise."""
MAP_PX = 3.0
"""Width of the average that shows where an estimate is wrong."""
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
    saw_frame: bool = False
    """Was the frame itself an input?"""


def without_frame(frames: Image, number: int, sigma: float) -> Estimate:
    """The best estimate of a frame (y, x) from the others of a registered burst (frame, y, x).

    Means of windows, as they are and each frame moved as the target as a whole moves; and the better kind of both, smoothed
    by non-local means. The frame itself only judges: its noise is independent of the estimates, so that its squared
    difference is theirs to the truth plus the noise.
    """
    target = frames[number]
    still, moving = _means(frames, number), _moved_means(frames, number)
    plain = [estimate_of(picture, target, sigma, method) for picture, method, _ in (*still, *moving)]
    best = _nearest(plain, target)
    kind = moving if any(best.picture is picture for picture, *_ in moving) else still
    smooth = [
        estimate_of(_denoised(picture, sigma / np.sqrt(count)), target, sigma, f"{method}, non-local means")
        for picture, method, count in kind
    ]
    return _nearest([best, *smooth], target)


def _nearest(estimates: list[Estimate], target: Image) -> Estimate:
    """The one with the least squared difference to the frame; the error of each is not told below a thousandth of the noise."""
    return min(estimates, key=lambda each: float(np.mean((each.picture - target) ** 2, dtype=np.float64)))


def _means(frames: Image, number: int) -> list[tuple[Image, str, int]]:
    """(mean, method, frames in it) of the windows around a frame, without it."""
    others, found = np.delete(np.arange(len(frames)), number), []
    for half in (*WINDOWS, len(frames)):
        near = others[np.abs(others - number) <= half]
        method = "mean of all others" if half == len(frames) else f"mean of the frames up to {half} away"
        found.append((frames[near].mean(axis=0, dtype=np.float32), method, len(near)))
    return found


def _moved_means(frames: Image, number: int) -> list[tuple[Image, str, int]]:
    """The same, each frame moved to where the target is in the one that is left out; empty where there are too few."""
    if len(frames) < MIN_MOVED:
        return []
    velocity = motion_around(frames, number)
    near = [k for k in range(-WINDOWS[-1], WINDOWS[-1] + 1) if k and 0 <= number + k < len(frames)]
    moved = {k: moved_by(frames[number + k], velocity, k) for k in near}
    found = []
    for half in WINDOWS[1:]:
        chosen = [picture for k, picture in moved.items() if abs(k) <= half]
        method = f"mean of the frames up to {half} away, moved"
        found.append((np.stack(chosen).mean(axis=0, dtype=np.float32), method, len(chosen)))
    return found


def best_classical(frames: Image, number: int, sigma: float) -> Estimate:
    """The best of `without_frame` and of non-local means of the frame itself."""
    return better_of(without_frame(frames, number, sigma), non_local(frames[number], sigma))


def better_of(one: Estimate, other: Estimate) -> Estimate:
    """The one with the smaller error, the first where they are equal."""
    return min(one, other, key=lambda each: each.mse)


def non_local(frame: Image, sigma: float) -> Estimate:
    """Non-local means of one frame (y, x), its error by Stein's estimate with a random probe."""
    probe = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), frame.shape)
    step = np.float32(PROBE * sigma)
    picture = _denoised(frame, sigma)
    sensitivity = float(
        np.mean(probe * (_denoised(np.asarray(frame + step * probe, np.float32), sigma) - picture), dtype=np.float64)
    ) / float(step)
    left = float(np.mean((picture - frame) ** 2, dtype=np.float64))
    mse = max(left - sigma**2 + 2 * sigma**2 * sensitivity, 1e-3 * sigma**2)
    return Estimate(picture, "non-local means", mse, saw_frame=True)


def estimate_of(picture: Image, frame: Image, sigma: float, method: str) -> Estimate:
    """A picture (y, x) that was made without the frame, with the error that the frame says it has."""
    return Estimate(picture, method, _mse(picture, frame, sigma))


def fused(estimate: Estimate, frame: Image, sigma: float) -> Estimate:
    """An estimate that never saw the frame (y, x), and the frame, each weighted by the inverse of its variance."""
    share = np.float32(estimate.mse / (estimate.mse + sigma**2))
    picture = np.asarray(estimate.picture + share * (frame - estimate.picture), np.float32)
    return Estimate(picture, estimate.method, float(share) * sigma**2, saw_frame=True)


def error_map(estimate: Estimate, shown: Estimate, frame: Image, sigma: float) -> Image:
    """Standard error (y, x) of what is shown of an estimate: its mean error, more where the frame differs more around.

    What is made from the frame itself has the same error everywhere: its differences to the frame say nothing of it.
    """
    if estimate.saw_frame:
        return np.full(frame.shape, np.sqrt(shown.mse), np.float32)
    around = ndimage.gaussian_filter((frame - estimate.picture) ** 2, MAP_PX, mode="reflect") - np.float32(sigma**2)
    variance = np.maximum(around, 0.5 * estimate.mse)
    return np.asarray(np.sqrt(variance * (shown.mse / estimate.mse)), np.float32)


def high_pass_noise(frames: Image) -> float:
    """Noise of a pixel of frames (frame, y, x), by second differences along all three axes: detail cancels in them."""
    change = np.diff(frames, axis=0) / np.sqrt(2)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    rough = ndimage.convolve(change, kernel[None], mode="reflect")
    return max(float(np.median(np.abs(rough))) / 0.6745, 1e-6 * float(np.ptp(frames)) + 1e-30)


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
