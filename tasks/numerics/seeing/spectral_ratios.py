"""Sky-independent ratios of the frames' spectra, ring by ring, and their standard errors.

coherence(f) = |<Y>|^2 / (<|Y|^2> - noise) = |<H>|^2 / M             of registered frames (von der Luehe 1984)
contrast(f)  = var(|Y|^2) / (<|Y|^2> - noise)^2 = var(|H|^2) / M^2   independent of registration
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.fourier.rings import RINGS, radial_profile, radii
from tasks.numerics.fourier.sampling import FULL, Sampling, alias_radius
from tasks.numerics.fourier.windows import hann

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

SOFT = 0.5
"""Rms in 1 / cut-off of the Gaussian blur that shows from which frequencies the taper leaks power."""
_MIN_SIGNAL = 3.0  # power over noise from which the leakage can be measured
_MAX_GROUPS = 32


class SpectralSums(NamedTuple):
    """Sums over groups of neighbouring frames; frequencies in rfft2 layout."""

    frames: F64
    """Number of frames (group,)."""
    first: C64
    """Sum of Y (group, y, x)."""
    second: F32
    """Sum of |Y|^2."""
    fourth: F32
    """Sum of |Y|^4."""
    softened: F32
    """Sum of |Y|^2 of the same frames blurred by `SOFT` before the taper."""
    width: int
    """Width of the frames, px, which the rfft2 layout does not hold."""


def spectral_sums(frames: F32, cutoff: float, group: int = 8) -> SpectralSums:
    """Sums over one block of registered frames (frame, y, x) of equal flux, in groups of `group` neighbours.

    `cutoff` is the telescope's, in cycles per pixel.
    """
    shape = (frames.shape[1], frames.shape[2])
    window, blur = hann(shape).astype(np.float32), _softening(radii(shape, cutoff)).astype(np.float32)
    parts = []
    for start in range(0, len(frames), group):
        block = frames[start : start + group].astype(np.float32, copy=False)
        spectra = tapered(block, window)
        power = power_of(spectra)
        soft = power_of(tapered(fft.irfft2(fft.rfft2(block) * blur, s=shape), window))
        parts.append((len(block), spectra.sum(0), power.sum(0), (power**2).sum(0), soft.sum(0)))
    count, first, *powers = (np.array(part) for part in zip(*parts, strict=True))
    second, fourth, softened = (each.astype(np.float32) for each in powers)
    return SpectralSums(count.astype(np.float64), first.astype(np.complex64), second, fourth, softened, shape[1])


def tapered(block: F32, window: F32) -> C64:
    """Spectra of frames (frame, y, x) under the window, their weighted mean subtracted."""
    level = np.tensordot(block, window, 2)[:, None, None] / window.sum()
    spectra: C64 = fft.rfft2((block - level) * window)
    return spectra


def power_of(spectra: C64) -> F32:
    """|Y|^2."""
    return np.asarray(spectra.real**2 + spectra.imag**2)


def _softening(radius: F64) -> F64:
    """Transfer function of the blur at frequencies given as fractions of the cut-off."""
    return np.asarray(np.exp(-2 * (np.pi * SOFT * radius) ** 2))


def grouped(single: SpectralSums, group: int) -> SpectralSums:
    """Sums of single frames added up in groups of neighbours."""
    starts = np.arange(0, len(single.frames), group)
    return _mapped(lambda sums: np.add.reduceat(sums, starts, axis=0), single)


def _mapped(change: Callable[[NDArray[Any]], NDArray[Any]], sums: SpectralSums) -> SpectralSums:
    """`change` applied to every sum."""
    frames, first, second, fourth, softened = (change(values) for values in sums[:-1])
    return SpectralSums(frames, first, second, fourth, softened, sums.width)


def join(parts: Sequence[SpectralSums]) -> SpectralSums:
    """Sums of consecutive blocks as one; beyond 32 groups neighbours are merged, which bounds the memory."""
    frames, first, second, fourth, softened = (
        np.concatenate(each) for each in zip(*(p[:-1] for p in parts), strict=True)
    )
    sums = SpectralSums(frames, first, second, fourth, softened, parts[0].width)
    while len(sums.frames) > _MAX_GROUPS:
        sums = grouped(sums, 2)
    return sums


def noise_beyond(sums: SpectralSums, cutoff: float, sampling: Sampling = FULL) -> float:
    """Noise power per coefficient, from the frequencies beyond the telescope's `cutoff` (cycles per pixel).

    Of a mosaic from the tenth of all coefficients whose aliases all lie farthest out.
    """
    shape = sums.first.shape[1], sums.width
    if sampling.is_full:
        beyond = radii(shape, cutoff) > 1.1
    else:
        radius = alias_radius(shape, sampling)
        beyond = radius > min(1.1 * cutoff, float(np.quantile(radius, 0.9)))
    if beyond.sum() < 20:
        raise ValueError(
            f"only {beyond.sum()} frequencies lie beyond the cut-off of {cutoff:.3f} cycles/px, 20 are needed: "
            "the pixels are too coarse to see the noise alone, so give its power from elsewhere"
        )
    return float(sums.second.sum(0, dtype=np.float64)[beyond].mean() / sums.frames.sum())


class Rings(NamedTuple):
    """Measured ring curves (ring,)."""

    signal: F64
    """<|Y|^2> - noise."""
    coherence: F64
    contrast: F64
    radius: F64
    """Effective frequency of the coherence: a planet's spectrum has lobes, and the taper leaks coarser power."""
    radius_squared: F64
    """Effective frequency of the contrast, which weights by the square of the power."""


class _Totals(NamedTuple):
    """Sums over the groups at the coefficients inside the cut-off."""

    frames: float
    frames_squared: float
    """Sum of each group's number of frames, squared."""
    first: NDArray[np.complex128]
    """Sum of Y (coefficient,)."""
    first_power: F64
    """Sum over groups of |their sum of Y|^2."""
    second: F64
    """Sum of |Y|^2."""
    second_squared: F64
    """Sum over groups of their sum of |Y|^2, squared."""
    fourth: F64
    """Sum of |Y|^4."""
    softened: F64
    """Sum of |Y|^2 of the blurred frames."""

    def plus(self, other: "_Totals", sign: float = 1.0) -> "_Totals":
        """The sums of both, or the difference."""
        pairs: Any = zip(self, other, strict=True)
        return _Totals(*(mine + sign * theirs for mine, theirs in pairs))


def _group(sums: SpectralSums, number: int, inside: NDArray[np.bool_]) -> _Totals:
    """What one group adds."""
    count, first = float(sums.frames[number]), sums.first[number][inside].astype(np.complex128)
    second, fourth, softened = (
        each[number][inside].astype(np.float64) for each in (sums.second, sums.fourth, sums.softened)
    )
    return _Totals(count, count**2, first, np.abs(first) ** 2, second, second**2, fourth, softened)


def _totals(sums: SpectralSums, inside: NDArray[np.bool_]) -> _Totals:
    total = _group(sums, 0, inside)
    for number in range(1, len(sums.frames)):
        total = total.plus(_group(sums, number, inside))
    return total


def measured(sums: SpectralSums, cutoff: float, noise: float) -> Rings:
    """The frames' ring curves, unbiased by noise and by the correlation of neighbouring frames.

    Products of means are taken between different groups only, which cancels noise and slow turbulence without
    subtraction. Coefficients are weighted by 1 / mean power at their frequency, so that steep spectra do not bias a ring.
    """
    radius = radii((sums.first.shape[1], sums.width), cutoff)
    inside = radius <= 1.0
    return _curves(_totals(sums, inside), radius[inside], noise)


def _curves(total: _Totals, radius: F64, noise: float) -> Rings:
    """The ring curves of sums over groups."""
    frames, pairs, origin = total.frames, total.frames**2 - total.frames_squared, _origin(total, radius, noise)
    power = total.second / frames
    signal = power - noise
    coherent = (np.abs(total.first) ** 2 - total.first_power) / pairs
    product = (total.second**2 - total.second_squared) / pairs
    squared = product - 2 * noise * power + noise**2
    power_variance = total.fourth / frames - product - 2 * signal * noise - noise**2
    ring = radial_profile(signal, radius)
    floor = np.where(np.isfinite(ring), np.maximum(ring, 0.1 * noise), 0.1 * noise) + 1e-30
    smooth = np.exp(np.interp(radius, RINGS, np.log(floor)))
    one, two = signal / smooth, squared / smooth**2
    stack = np.stack([coherent / smooth, one, power_variance / smooth**2, two, one * origin, two * origin])
    means = radial_profile(stack, radius)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Rings(ring, means[0] / means[1], means[2] / means[3], means[4] / means[1], means[5] / means[3])


def _origin(total: _Totals, radius: F64, noise: float) -> F64:
    """The mean frequency, as a fraction of the cut-off, from which the power at each `radius` (coefficient,) comes.

    The taper spreads every frequency over its neighbours; of a steep spectrum more leaks from the coarser side. How much
    a blur before the taper attenuates the power tells the frequency at which it was before.
    """
    blur = _softening(radius)
    power, softened = total.second / total.frames, total.softened / total.frames
    kept = np.clip((softened - noise * blur**2) / np.maximum(power - noise, 1e-30), 1e-9, 1.0)
    used = (power > _MIN_SIGNAL * noise) & (radius < 0.7)
    return np.where(used, np.sqrt(-np.log(kept)) / (2 * np.pi * SOFT), radius)


def jackknife(sums: SpectralSums, cutoff: float, noise: float) -> Rings:
    """Standard errors of `measured`: how much it changes when one group of frames is left out."""
    groups = len(sums.frames)
    radius = radii((sums.first.shape[1], sums.width), cutoff)
    inside = radius <= 1.0
    total, radius = _totals(sums, inside), radius[inside]
    rest = (total.plus(_group(sums, out, inside), -1.0) for out in range(groups))
    runs = [np.array(_curves(each, radius, noise)) for each in rest]
    return Rings(*np.sqrt((groups - 1) * np.var(runs, axis=0)))
