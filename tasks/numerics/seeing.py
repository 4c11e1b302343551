"""Estimates the seeing from the frames alone: how strongly, on average, the air damps each ring of spatial frequencies.

A blind solve cannot tell a soft sky under sharp PSFs from a sharp sky under soft ones. Two ratios of the frames'
spectra do not contain the sky, and so pin the PSFs' mean power M(f) = <|H|^2>:

    coherence(f) = |<Y>|^2 / (<|Y|^2> - noise) = |<H>|^2 / M             of aligned frames (von der Luehe 1984)
    contrast(f)  = var(|Y|^2) / (<|Y|^2> - noise)^2 = var(|H|^2) / M^2   whatever the alignment

Both are matched to simulated Kolmogorov air over three unknowns: D/r0, the air's travel during one exposure, and the
jitter that the alignment left. D/r0 is measured well, the travel hardly: it leans on a prior, and the spread says so.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.speckle import RINGS, STRENGTHS, TRAVELS, SpeckleTable, radii, ring_mean, speckle_table

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

JITTERS_PX = np.linspace(0.0, 2.0, 21)
"""Misalignments tried, rms per axis: two pixels are a failed alignment."""
_MOST_GROUPS = 32
_TEMPER = 2.0  # neighbouring rings share their air: two rings count as one
_MODEL = 0.06  # what real air and few draws differ from the table's, in ln(D/r0): no fit is surer than this
_WIND = 10.0  # m/s, the usual 5/3-moment of the wind over the layers


class SpectralSums(NamedTuple):
    """Sums over groups of neighbouring frames; frequencies in rfft2 layout."""

    frames: F64
    """How many (group,)."""
    first: C64
    """Sum of Y (group, y, x)."""
    second: F32
    """Sum of |Y|^2."""
    fourth: F32
    """Sum of |Y|^4."""
    width: int
    """The frames' width in pixels, which rfft2 forgets."""


class Seeing(NamedTuple):
    """The air's strength and what it does to the mean power of the PSFs; curves are sampled at speckle.RINGS."""

    d_over_r0: float
    travel: float
    """The air's travel during one exposure, in apertures."""
    jitter_px: float
    """What the alignment left, rms per axis."""
    uncertainty: float
    """Standard deviation of ln(D/r0)."""
    mean_power: F64
    """<|H|^2> (ring,), 1 at zero frequency; the telescope's own damping is in it, the pixels' is not."""
    mean_otf: F64
    """|<H>| (ring,) of the frames as aligned."""
    spread: F64
    """Standard deviation of ln(mean_power) (ring,)."""
    rings_used: int
    """How many rings rose above the noise; 0 means that only the prior speaks."""


def travel_prior(aperture_m: float, exposure_s: float | None, interval_s: float | None) -> tuple[float, float] | None:
    """What wind and clock say of the air's travel during one exposure: (apertures, spread of its logarithm).

    A camera that hides its exposure spends 10 to 100 % of the frame interval on it. None: nothing is known.
    """
    if exposure_s:
        return _WIND * exposure_s / aperture_m, 0.6
    if interval_s:
        return _WIND * 0.3 * interval_s / aperture_m, 0.8
    return None


def _taper(shape: tuple[int, int]) -> F64:
    """A Hann window (y, x) of mean square 1, so white noise keeps its power; steeper ones leak low rings into high."""
    edges = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in shape]
    window = np.outer(*edges)
    window /= np.sqrt((window**2).mean())
    return window


def spectral_sums(frames: F32, group: int = 8) -> SpectralSums:
    """Sums over one block of aligned frames (frame, y, x) of equal flux, in groups of `group` neighbours."""
    starts = range(0, len(frames), group)
    window = _taper((frames.shape[1], frames.shape[2]))
    parts = []
    for start in starts:
        block = frames[start : start + group].astype(np.float64)
        block -= (block * window).sum((1, 2), keepdims=True) / window.sum()
        spectra = np.fft.rfft2(block * window)
        power = np.abs(spectra) ** 2
        parts.append((len(block), spectra.sum(0), power.sum(0), (power**2).sum(0)))
    count, first, second, fourth = (np.array(part) for part in zip(*parts, strict=True))
    second, fourth = second.astype(np.float32), fourth.astype(np.float32)
    return SpectralSums(count.astype(np.float64), first.astype(np.complex64), second, fourth, frames.shape[2])


def grouped(single: SpectralSums, group: int) -> SpectralSums:
    """Sums of single frames put together in groups of neighbours."""
    starts = np.arange(0, len(single.frames), group)
    frames, first, second, fourth = (np.add.reduceat(each, starts, axis=0) for each in single[:4])
    return SpectralSums(frames, first, second, fourth, single.width)


def join(parts: Sequence[SpectralSums]) -> SpectralSums:
    """Sums of consecutive blocks as one; memory stays bounded because neighbouring groups merge beyond thirty-two."""
    frames = np.concatenate([part.frames for part in parts])
    first = np.concatenate([part.first for part in parts])
    second = np.concatenate([part.second for part in parts])
    fourth = np.concatenate([part.fourth for part in parts])
    while len(frames) > _MOST_GROUPS:
        two = np.arange(0, len(frames), 2)
        frames, first, second, fourth = (np.add.reduceat(each, two, axis=0) for each in (frames, first, second, fourth))
    return SpectralSums(frames, first, second, fourth, parts[0].width)


def noise_beyond(sums: SpectralSums, cutoff: float) -> float:
    """Noise power per coefficient, from the frequencies beyond the telescope's `cutoff` (cycles per pixel)."""
    beyond = radii((sums.first.shape[1], sums.width), cutoff) > 1.1
    if beyond.sum() < 20:
        raise ValueError(
            f"only {beyond.sum()} frequencies lie beyond the cut-off of {cutoff:.3f} cycles/px, 20 are needed: "
            "the pixels are too coarse to see the noise alone, so give its power from elsewhere"
        )
    return float(sums.second.sum(0, dtype=np.float64)[beyond].mean() / sums.frames.sum())


class Rings(NamedTuple):
    """What is measured, ring by ring (ring,)."""

    signal: F64
    coherence: F64
    contrast: F64
    radius: F64
    """Where the coherence was really seen: a planet's power comes in lobes, not evenly over a ring."""
    radius_squared: F64
    """The same for the contrast, which weighs by the square of the power."""


def measured(sums: SpectralSums, cutoff: float, noise: float) -> Rings:
    """The frames' ring curves, free of noise and of the likeness of neighbouring frames.

    Products of means are taken between different groups only: noise and slow air then drop out instead of being
    subtracted. Pixels are weighted by 1 / mean power of their ring, so a steep sky does not shift a ring's radius.
    """
    radius = radii((sums.first.shape[1], sums.width), cutoff)
    inside = radius <= 1.0
    radius, count = radius[inside], sums.frames
    first = sums.first[:, inside].astype(np.complex128)
    second, fourth = sums.second[:, inside].astype(np.float64), sums.fourth[:, inside].astype(np.float64)
    frames, pairs = count.sum(), count.sum() ** 2 - (count**2).sum()
    power = second.sum(0) / frames
    signal = power - noise
    coherent = (np.abs(first.sum(0)) ** 2 - (np.abs(first) ** 2).sum(0)) / pairs
    product = (second.sum(0) ** 2 - (second**2).sum(0)) / pairs
    squared = product - 2 * noise * power + noise**2
    wobble = fourth.sum(0) / frames - product - 2 * signal * noise - noise**2
    ring = ring_mean(signal, radius)
    floor = np.where(np.isfinite(ring), np.maximum(ring, 0.1 * noise), 0.1 * noise) + 1e-30
    smooth = np.exp(np.interp(radius, RINGS, np.log(floor)))
    one, two = signal / smooth, squared / smooth**2
    stack = np.stack([coherent / smooth, one, wobble / smooth**2, two, one * radius, two * radius])
    means = ring_mean(stack, radius)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Rings(ring, means[0] / means[1], means[2] / means[3], means[4] / means[1], means[5] / means[3])


def _jackknife(sums: SpectralSums, cutoff: float, noise: float) -> Rings:
    """Standard errors of `measured`: how much it changes when one group of frames is left out."""
    groups = len(sums.frames)
    runs = []
    for out in range(groups):
        keep = np.arange(groups) != out
        left = SpectralSums(sums.frames[keep], sums.first[keep], sums.second[keep], sums.fourth[keep], sums.width)
        runs.append(np.array(measured(left, cutoff, noise)))
    return Rings(*np.sqrt((groups - 1) * np.var(runs, axis=0)))


def _usable(rings: Rings, noise: float, lowest: float) -> NDArray[np.bool_]:
    """Rings worth fitting: above the taper's reach, up to the first that drowns in noise."""
    good = np.isfinite(rings.coherence) & np.isfinite(rings.contrast) & (rings.signal > 0.5 * noise)
    good |= lowest > RINGS
    last = len(RINGS) if good.all() else int(np.argmin(good))
    sane = np.abs(rings.radius - RINGS) + np.abs(rings.radius_squared - RINGS) < 1.0 / (len(RINGS) - 1)
    used: NDArray[np.bool_] = sane & (lowest <= RINGS) & (np.arange(len(RINGS)) < last) & (RINGS <= 0.7)
    return used


def _seen_at(curves: F64, radius: F64) -> F64:
    """Ring curves (..., ring) between their rings, at each `radius`."""
    at = np.clip(radius, 0.0, 1.0) * (len(RINGS) - 1)
    low = np.minimum(at.astype(np.int64), len(RINGS) - 2)
    between: F64 = curves[..., low] * (low + 1 - at) + curves[..., low + 1] * (at - low)
    return between


def _misfit(rings: Rings, errors: Rings, table: SpeckleTable, used: NDArray[np.bool_], cutoff: float) -> F64:
    """Chi squared (strength, travel, jitter); a ring counts at most 25, the simulation is trusted to some per cent."""
    contrast = _seen_at(table.contrast, rings.radius_squared[used])
    scale = np.hypot(errors.contrast[used], 0.04 + 0.08 * np.clip(contrast, 0, 1))
    total = np.minimum(((rings.contrast[used] - contrast) / scale) ** 2, 25.0).sum(-1)[..., None]
    damping = np.exp(-((2 * np.pi * cutoff * np.outer(JITTERS_PX, rings.radius[used])) ** 2))
    coherence = _seen_at(table.coherence, rings.radius[used])[..., None, :] * damping
    scale = np.hypot(errors.coherence[used], 0.02 + 0.05 * np.clip(coherence, 0, 1))
    misfit: F64 = total + np.minimum(((rings.coherence[used] - coherence) / scale) ** 2, 25.0).sum(-1)
    return misfit


def _log_prior(travel: tuple[float, float] | None) -> F64:
    """Log of the prior (strength, travel, jitter): amateur to observatory seeing, exposures of about one r0 of air."""
    strength = -0.5 * (np.log(STRENGTHS / 7.0) / 0.8) ** 2
    centre = 1 / STRENGTHS if travel is None else np.full(len(STRENGTHS), travel[0])
    width = 1.0 if travel is None else travel[1]
    wind = -0.5 * (np.log(TRAVELS / np.clip(centre, TRAVELS[0], TRAVELS[-1])[:, None]) / width) ** 2
    log_prior: F64 = (strength[:, None] + wind)[..., None] + np.zeros(len(JITTERS_PX))
    return log_prior


def fit_seeing(
    sums: SpectralSums,
    cutoff: float,
    obstruction: float,
    noise: float | None = None,
    travel: tuple[float, float] | None = None,
) -> Seeing:
    """The seeing that explains `sums`.

    `cutoff` is the telescope's, in cycles per pixel (pupil diameter in cells / grid size); `noise` the power per
    coefficient of an unnormalised FFT (None: from beyond the cut-off); `travel` as `travel_prior` gives it.
    """
    if len(sums.frames) < 4:
        raise ValueError(f"{len(sums.frames)} groups of frames do not show their scatter, 4 do: use smaller groups")
    noise = noise_beyond(sums, cutoff) if noise is None else noise
    rings = measured(sums, cutoff, noise)
    shortest = min(sums.first.shape[1], sums.width)
    used = _usable(rings, noise, 2.0 / shortest / cutoff)
    table = speckle_table(round(obstruction, 3))
    log_posterior = _log_prior(travel)
    if used.any():
        log_posterior -= 0.5 / _TEMPER * _misfit(rings, _jackknife(sums, cutoff, noise), table, used, cutoff)
    weight = np.exp(log_posterior - log_posterior.max())
    return _summary(weight / weight.sum(), table, cutoff, int(used.sum()))


def _summary(weight: F64, table: SpeckleTable, cutoff: float, rings_used: int) -> Seeing:
    """Posterior (strength, travel, jitter) to means and standard deviations; powers are averaged as logarithms."""
    air = weight.sum(2)
    strengths, travels = air.sum(1), air.sum(0)
    strength = float(strengths @ np.log(STRENGTHS))
    log_power = np.tensordot(air, table.log_power, 2)
    variance = np.tensordot(air, (table.log_power - log_power) ** 2, 2)
    jitter = float(weight.sum((0, 1)) @ JITTERS_PX)
    power = np.exp(log_power)
    power[0] = 1.0
    coherence = np.clip(np.tensordot(air, table.coherence, 2), 0, 1)
    coherence *= np.exp(-((2 * np.pi * cutoff * jitter * RINGS) ** 2))
    return Seeing(
        d_over_r0=float(np.exp(strength)),
        travel=float(np.exp(travels @ np.log(TRAVELS))),
        jitter_px=jitter,
        uncertainty=float(np.hypot(_MODEL, np.sqrt(strengths @ (np.log(STRENGTHS) - strength) ** 2))),
        mean_power=power,
        mean_otf=np.sqrt(power * coherence),
        spread=np.sqrt(variance + (2 * _MODEL * (1 - power)) ** 2),
        rings_used=rings_used,
    )
