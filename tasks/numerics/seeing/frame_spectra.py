"""Spectral sums and ring powers of registered frames, in one pass over them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.rings import RINGS, radial_profile, radii
from tasks.numerics.fourier.shifts import move_whole, shift_frames, split
from tasks.numerics.fourier.windows import hann
from tasks.numerics.seeing.spectral_ratios import SpectralSums, grouped, join, power_of, spectral_sums, tapered

MIN_GROUPS = 6
"""Groups of neighbouring frames among which the scatter is measured, at least."""
MAX_GROUP_FRAMES = 8
MAX_FRAMES = 1024
"""From so many frames, in blocks spread over the capture, the sums are made; what more would bring is far below the error
of the table that they are compared with. Of the others only the ring power is looked at."""


def frame_spectra(
    blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
    shifts: NDArray[np.float32],
    gains: NDArray[np.float32],
    used: int,
    cutoff: float,
) -> tuple[SpectralSums, NDArray[np.float32]]:
    """Spectral sums of registered, flux-matched frames, and the ring power (frame, ring) of each, nan where not looked at.

    `blocks` hold (numbers, frames (frame, y, x)) of `used` frames in all; `shifts` (frame, 2) px and `gains` (frame,) are
    those of all frames of the capture.
    """
    size = int(np.clip(used // MIN_GROUPS, 1, MAX_GROUP_FRAMES))
    power = np.full((len(shifts), len(RINGS)), np.nan, np.float32)
    total: SpectralSums | None = None
    done = summed = 0
    for numbers, frames in blocks:
        if summed * used <= done * min(used, MAX_FRAMES):
            moved = shift_frames(frames[:, None], -shifts[numbers])[:, 0] / gains[numbers, None, None]
            single = spectral_sums(moved, cutoff, 1)
            power[numbers] = _ring_power(single.second, moved.shape[1:], cutoff)
            sums = grouped(single, size)
            total = sums if total is None else join([total, sums])
            summed += len(numbers)
        else:
            power[numbers] = _quick_power(frames, shifts[numbers], gains[numbers], cutoff)
        done += len(numbers)
    if total is None:
        raise ValueError("0 usable frames to measure the seeing from, at least 4 are needed")
    return total, power


def _quick_power(
    frames: NDArray[np.float32], shifts: NDArray[np.float32], gains: NDArray[np.float32], cutoff: float
) -> NDArray[np.float64]:
    """Ring power (frame, ring) of frames that are registered to whole pixels only, which changes no power."""
    shape = frames.shape[1:]
    window = hann(shape).astype(np.float32)
    whole, _ = split(shifts)
    moved = move_whole(frames[:, None], -whole)[:, 0] / gains[:, None, None]
    powers = np.concatenate([power_of(tapered(frame[None], window)) for frame in moved])
    return _ring_power(powers, shape, cutoff)


def _ring_power(power: NDArray[np.float32], shape: tuple[int, ...], cutoff: float) -> NDArray[np.float64]:
    """Mean (frame, ring) of power (frame, y, x//2+1)."""
    radius = radii((shape[0], shape[1]), cutoff)
    inside = radius <= 1.0
    return radial_profile(power[:, inside].astype(np.float64), radius[inside])


def mean_power_of(
    numbers: NDArray[np.int64], frame_power: NDArray[np.float32], noise: float, mean_power: NDArray[np.float64]
) -> NDArray[np.float64]:
    """<|H|^2> (ring,) of some frames: that of all frames, times how much more power these show.

    `frame_power` (frame, ring) holds the noise, `mean_power` (ring,) is that of all frames. No sky enters the ratio.
    """
    everyone = _mean(frame_power) - noise
    these = _mean(frame_power[numbers]) - noise
    good = (everyone > 0.5 * noise) & (these > 0.25 * noise)
    good[:2] = False
    rings = np.arange(len(everyone))
    ratio = np.interp(rings, np.append(0, rings[good]), np.append(1.0, these[good] / everyone[good]))
    return np.asarray(mean_power * ratio)


def _mean(frame_power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean (ring,) over the frames that were looked at; nan in rings that hold no coefficient."""
    looked_at = ~np.isnan(frame_power)
    count, total = looked_at.sum(axis=0), np.where(looked_at, frame_power, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
