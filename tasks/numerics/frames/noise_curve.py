"""The noise of frames as a curve over spatial frequency, learned from differences of registered frames."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from tasks.numerics.fourier.rings import radius
from tasks.numerics.frames.spectra import rfft2

F64 = NDArray[np.float64]
Image = NDArray[np.float32]

FREQUENCIES_CPP: F64 = np.linspace(0.0, np.hypot(0.5, 0.5), 142)
"""Where a curve is sampled, cycles/px."""
MAX_LAG = 8
"""Frames between the two of a difference: neighbours in a compressed movie are predicted from each other."""
MAX_COHERENCE = 0.05
"""Largest share of light common to all frames in a ring whose differences are noise and nothing else."""
MIN_RATIO = 1.5
"""Smallest ratio of the noise within the outer half of the noise-only rings that is not white. White noise of simulated
cameras measured 1.01 to 1.07, compressed movies 2.5 to 6.6."""
MIN_OUTER_BINS = 12
"""Fewer samples of noise alone do not tell white from coloured."""
MIN_VALUES = 200
"""A sample of the curve from fewer values than this scatters too much to be compared with others."""
MIN_NOISE = 1e-4
"""Smallest noise as a fraction of the largest where there is no light: a codec may leave nothing at all."""
AXIS_CPP, CENTRE_CPP = 0.015, 0.05
"""Half width of the cross along the axes that is left out, as it holds the leakage of borders; and where it begins."""
SLOPE_FRACTION = 0.5
"""Share of the slope above the first noise-only ring with which the curve goes on below it."""


@dataclass(frozen=True)
class LearntNoise:
    """The noise of one channel."""

    curve: F64 | None
    """(frequency,) variance per pixel at FREQUENCIES_CPP; None where it is white."""
    ratio: float
    """Largest over smallest noise in the outer half of the rings that hold noise alone; one is white."""


def learn_noise(blocks: Iterable[Image], count: int, area: float) -> LearntNoise:
    """The noise of `count` registered frames that come in blocks (frame, size, size); `area` is the sum of their squared taper.

    Half the mean squared difference of two frames some frames apart is noise where they hold no common light. The mean
    of all frames tells where that is.
    """
    lag = max(1, min(MAX_LAG, count // 2))
    before: deque[NDArray[np.complex64]] = deque(maxlen=lag)
    shape = (0, 0)
    total, power, squared = np.zeros(()), np.zeros(()), np.zeros(())
    for block in blocks:
        shape = (block.shape[-2], block.shape[-1])
        for spectrum in rfft2(block):
            total, power = total + spectrum, power + np.abs(spectrum) ** 2
            if len(before) == lag:
                squared = squared + np.abs(spectrum - before[0]) ** 2 / 2
            before.append(spectrum)
    pairs = count - lag
    if pairs < 1 or shape == (0, 0):
        return LearntNoise(None, 1.0)
    noise, values = _ring_means(squared / pairs, shape)
    common = (_ring_means(np.abs(total) ** 2, shape)[0] - _ring_means(power, shape)[0]) / (count * (count - 1))
    return curve_of(noise / area, common / area, values * pairs)


def curve_of(noise: F64, common: F64, values: F64) -> LearntNoise:
    """The curve from the differences' noise, the common light and the number of values, each (frequency,)."""
    dark = median_filter(common / np.maximum(noise, 1e-30), 5, mode="nearest") < MAX_COHERENCE
    run = dark[:-2] & dark[1:-1] & dark[2:]
    first = max(6, int(np.argmax(run))) if run.any() else len(noise)
    least = max(MIN_NOISE * noise[first:].max(initial=0.0), 1e-30)
    smooth = np.exp(gaussian_filter1d(np.log(np.maximum(noise, least)), 1.5, mode="nearest"))
    outer = np.arange((first + len(noise)) // 2, len(noise) - 2)
    outer = outer[values[outer] >= MIN_VALUES]
    if len(outer) <= MIN_OUTER_BINS:
        return LearntNoise(None, 1.0)
    steady = median_filter(smooth, 5, mode="nearest")[outer]
    ratio = float(steady.max() / steady.min())
    if ratio <= MIN_RATIO:
        return LearntNoise(None, ratio)
    return LearntNoise(_continued(smooth, first), ratio)


def whitener(curve: NDArray[np.floating], shape: tuple[int, int], scale: int = 1) -> Image:
    """Filter (y, x//2+1) that makes the noise white: one where the noise is least.

    On a grid of `scale` pixels for one of the camera's it repeats: aliases share the noise of their frequency.
    """
    folded = radius(shape)
    if scale > 1:
        along_y, along_x = (
            (scale * f + 0.5) % 1 - 0.5 for f in (np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
        )
        folded = np.hypot(along_y, along_x)
    noise = np.exp(np.interp(folded, FREQUENCIES_CPP, np.log(curve)))
    return np.sqrt(curve.min() / noise).astype(np.float32)


def whitened(frames: Image, curve: NDArray[np.floating]) -> Image:
    """Frames (frame, y, x) with white noise, filtered on their mirror extension; their mean light changes too."""
    height, width = frames.shape[-2:]
    filter_ = whitener(curve, (2 * height, 2 * width))
    out = np.empty_like(frames)
    for number, frame in enumerate(frames):
        level = frame.mean()
        mirrored = np.pad(frame - level, ((0, height), (0, width)), mode="symmetric")
        light = np.fft.irfft2(np.fft.rfft2(mirrored) * filter_, s=mirrored.shape)
        out[number] = light[:height, :width] + level * filter_[0, 0]
    return out


def _continued(smooth: F64, first: int) -> F64:
    """A curve that goes on below its noise-only samples, where differences hold the motion of the air."""
    last = min(2 * first, len(smooth) - 3)
    slope = 0.0
    if last - first >= 3:
        slope = float(np.polyfit(np.log(FREQUENCIES_CPP[first:last]), np.log(smooth[first:last]), 1)[0])
    slope = float(np.clip(slope, -2, 0)) * SLOPE_FRACTION
    level = np.exp(np.log(smooth[first : first + 5]).mean())
    curve = smooth.copy()
    below = np.maximum(np.arange(first), 4)
    curve[:first] = level * (FREQUENCIES_CPP[below] / FREQUENCIES_CPP[first + 2]) ** slope
    return curve


def _ring_means(values: NDArray[np.floating], shape: tuple[int, int]) -> tuple[F64, F64]:
    """Mean (frequency,) of values (y, x//2+1) over rings away from the axes, and how many there are."""
    frequency = radius(shape)
    at = np.rint(frequency / FREQUENCIES_CPP[1]).astype(np.int64).ravel()
    weight = np.full(frequency.shape, 2.0)
    weight[:, 0] = weight[:, -1] = 1.0
    fy, fx = np.abs(np.fft.fftfreq(shape[0]))[:, None], np.fft.rfftfreq(shape[1])[None]
    weight[((fy < AXIS_CPP) | (fx < AXIS_CPP)) & (frequency > CENTRE_CPP)] = 0.0
    size = len(FREQUENCIES_CPP)
    count = np.bincount(at, weight.ravel(), size)[:size]
    total = np.bincount(at, (values * weight).ravel(), size)[:size]
    good = count > 0
    means = np.interp(FREQUENCIES_CPP, FREQUENCIES_CPP[good], total[good] / count[good])
    return means, count / 2
