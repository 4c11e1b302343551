"""Estimates the seeing from the frames alone: D/r0, and the mean attenuation of each ring of spatial frequencies.

A blind solve cannot distinguish a soft sky under sharp PSFs from a sharp sky under soft ones. Two ratios of the frames'
spectra (spectral_ratios.py) do not contain the sky, and so determine the PSFs' mean power M(f) = <|H|^2>. Both are fitted
with simulated Kolmogorov turbulence over three unknowns: D/r0, the wind's travel during one exposure, and the residual
jitter of the registration. D/r0 is well constrained, the travel hardly: its prior dominates, and the uncertainty shows it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.seeing.speckle_table import STRENGTHS, TRAVELS
from tasks.numerics.seeing.speckle_transfer import SpeckleCurves
from tasks.numerics.seeing.spectral_ratios import Rings, SpectralSums, jackknife, measured, noise_beyond

F64 = NDArray[np.float64]

JITTERS_PX = np.linspace(0.0, 2.0, 21)
"""Misalignments tried, rms per axis: two pixels are a failed alignment."""
FINEST = 0.7
"""Finer rings, as a fraction of the cut-off, hold too little light."""
_RINGS_PER_SAMPLE = 2.0  # neighbouring rings are correlated: two count as one
_MIN_SIGMA = 0.06  # of ln(D/r0): systematic error of the table, by few draws and by turbulence unlike Kolmogorov's
_WIND_M_S = 10.0  # typical 5/3-moment of the wind over the layers
_EXPOSURE_S = 0.006  # assumed where a camera does not record it: 2 to 20 ms on bright targets, longer on faint ones
_JITTER = 0.15  # prior of the registration error, in 1 / cut-off, rms per axis: 0.06 to 0.4 on nine simulated captures


class Seeing(NamedTuple):
    """Strength of the seeing and its effect on the PSFs' mean power; curves are sampled at `rings.RINGS`."""

    d_over_r0: float
    """Aperture diameter over Fried's parameter."""
    wind_travel_diameters: float
    """How far the wind carries the turbulence during one exposure, in aperture diameters."""
    jitter_px: float
    """Residual jitter of the registered frames, px rms per axis."""
    log_d_over_r0_sigma: float
    """Standard deviation of ln(D/r0)."""
    mean_power: F64
    """<|H|^2> (ring,), 1 at zero frequency; includes the telescope's transfer function, not the pixels'."""
    mean_otf: F64
    """|<H>| (ring,) of the registered frames."""
    log_power_sigma: F64
    """Standard deviation of ln(mean_power) (ring,)."""
    rings_used: int
    """Number of rings above the noise; 0 means that the result is the prior."""


def travel_prior(aperture_m: float, exposure_s: float | None) -> tuple[float, float]:
    """Prior of the wind's travel during one exposure: (aperture diameters, standard deviation of its logarithm)."""
    if exposure_s:
        return _WIND_M_S * exposure_s / aperture_m, 0.6
    return _WIND_M_S * _EXPOSURE_S / aperture_m, 1.0


def _usable(rings: Rings, noise: float, lowest: float, finest: float) -> NDArray[np.bool_]:
    """Rings to fit: from the taper's resolution `lowest` up to the first below the noise, or to `finest`."""
    good = np.isfinite(rings.coherence) & np.isfinite(rings.contrast) & (rings.signal > 0.5 * noise)
    good |= lowest > RINGS
    last = len(RINGS) if good.all() else int(np.argmin(good))
    finite = np.isfinite(rings.radius + rings.radius_squared)
    used: NDArray[np.bool_] = finite & (lowest <= RINGS) & (np.arange(len(RINGS)) < last) & (finest >= RINGS)
    return used


def _interpolated(curves: F64, radius: F64) -> F64:
    """Ring curves (..., ring) interpolated at each `radius`."""
    at = np.clip(radius, 0.0, 1.0) * (len(RINGS) - 1)
    low = np.minimum(at.astype(np.int64), len(RINGS) - 2)
    between: F64 = curves[..., low] * (low + 1 - at) + curves[..., low + 1] * (at - low)
    return between


def _misfit(rings: Rings, errors: Rings, table: SpeckleCurves, used: NDArray[np.bool_], cutoff: float) -> F64:
    """Chi squared (strength, travel, jitter); a ring adds at most 25, the table is good to a few per cent."""
    contrast = _interpolated(table.contrast, rings.radius_squared[used])
    scale = np.hypot(errors.contrast[used], 0.04 + 0.08 * np.clip(contrast, 0, 1))
    total = np.minimum(((rings.contrast[used] - contrast) / scale) ** 2, 25.0).sum(-1)[..., None]
    damping = np.exp(-((2 * np.pi * cutoff * np.outer(JITTERS_PX, rings.radius[used])) ** 2))
    coherence = _interpolated(table.coherence, rings.radius[used])[..., None, :] * damping
    scale = np.hypot(errors.coherence[used], 0.02 + 0.05 * np.clip(coherence, 0, 1))
    misfit: F64 = total + np.minimum(((rings.coherence[used] - coherence) / scale) ** 2, 25.0).sum(-1)
    return misfit


def _log_prior(travel: tuple[float, float] | None, cutoff: float) -> F64:
    """Log of the prior (strength, travel, jitter).

    Amateur to observatory seeing; unknown exposures during which the wind travels about one r0; registration errors with
    a wide tail for failures.
    """
    strength = -0.5 * (np.log(STRENGTHS / 7.0) / 0.8) ** 2
    centre = 1 / STRENGTHS if travel is None else np.full(len(STRENGTHS), travel[0])
    width = 1.0 if travel is None else travel[1]
    log_wind = -0.5 * (np.log(TRAVELS / np.clip(centre, TRAVELS[0], TRAVELS[-1])[:, None]) / width) ** 2
    log_jitter = -np.log1p((JITTERS_PX * cutoff / _JITTER) ** 2)
    log_prior: F64 = (strength[:, None] + log_wind)[..., None] + log_jitter
    return log_prior


def fit_seeing(
    sums: SpectralSums,
    cutoff: float,
    table: SpeckleCurves,
    noise: float | None = None,
    travel: tuple[float, float] | None = None,
    finest: float = FINEST,
) -> Seeing:
    """The posterior mean seeing given `sums`.

    `cutoff` is the telescope's, in cycles per pixel (pupil diameter in cells / grid size), `table` of its obstruction;
    `noise` the power per coefficient of an unnormalised FFT (None: measured beyond the cut-off); `travel` the prior from
    `travel_prior`; `finest` the last ring that is looked at, as a fraction of the cut-off.
    """
    if len(sums.frames) < 4:
        raise ValueError(f"{len(sums.frames)} groups of frames do not show their scatter, 4 do: use smaller groups")
    noise = noise_beyond(sums, cutoff) if noise is None else noise
    rings = measured(sums, cutoff, noise)
    shortest = min(sums.first.shape[1], sums.width)
    used = _usable(rings, noise, 2.0 / shortest / cutoff, finest)
    log_posterior = _log_prior(travel, cutoff)
    if used.any():
        log_posterior -= 0.5 / _RINGS_PER_SAMPLE * _misfit(rings, jackknife(sums, cutoff, noise), table, used, cutoff)
    weight = np.exp(log_posterior - log_posterior.max())
    return _summary(weight / weight.sum(), table, cutoff, int(used.sum()))


def in_other_light(seeing: Seeing, wavelength_ratio: float, table: SpeckleCurves) -> Seeing:
    """The same air seen at another wavelength: D/r0 follows the ratio to the power 6/5, curves the table's change.

    `wavelength_ratio` is that of the seeing's light over the other. Rings are fractions of each light's own cut-off.
    """
    strength = seeing.d_over_r0 * wavelength_ratio**1.2
    row = np.log(np.clip(seeing.wind_travel_diameters, TRAVELS[0], TRAVELS[-1]))
    change = np.zeros_like(seeing.mean_power)
    for sign, each in ((1, strength), (-1, seeing.d_over_r0)):
        at = np.log(np.clip(each, STRENGTHS[0], STRENGTHS[-1]))
        curves = np.stack([_between(np.log(STRENGTHS), table.log_power[:, k], at) for k in range(len(TRAVELS))])
        change += sign * _between(np.log(TRAVELS), curves, row)
    power = seeing.mean_power * np.exp(change)
    return seeing._replace(d_over_r0=strength, mean_power=power)


def _between(places: F64, rows: F64, at: float) -> F64:
    """Rows (place, ...) interpolated linearly at a place."""
    low = int(np.clip(np.searchsorted(places, at) - 1, 0, len(places) - 2))
    share = (at - places[low]) / (places[low + 1] - places[low])
    return np.asarray((1 - share) * rows[low] + share * rows[low + 1])


def _summary(weight: F64, table: SpeckleCurves, cutoff: float, rings_used: int) -> Seeing:
    """Posterior (strength, travel, jitter) to means and standard deviations; powers are averaged as logarithms."""
    marginal = weight.sum(2)
    strengths, travels = marginal.sum(1), marginal.sum(0)
    strength = float(strengths @ np.log(STRENGTHS))
    log_power = np.tensordot(marginal, table.log_power, 2)
    variance = np.tensordot(marginal, (table.log_power - log_power) ** 2, 2)
    jitter = float(weight.sum((0, 1)) @ JITTERS_PX)
    power = np.exp(log_power)
    power[0] = 1.0
    coherence = np.clip(np.tensordot(marginal, table.coherence, 2), 0, 1)
    coherence *= np.exp(-((2 * np.pi * cutoff * jitter * RINGS) ** 2))
    return Seeing(
        d_over_r0=float(np.exp(strength)),
        wind_travel_diameters=float(np.exp(travels @ np.log(TRAVELS))),
        jitter_px=jitter,
        log_d_over_r0_sigma=float(np.hypot(_MIN_SIGMA, np.sqrt(strengths @ (np.log(STRENGTHS) - strength) ** 2))),
        mean_power=power,
        mean_otf=np.sqrt(power * coherence),
        log_power_sigma=np.sqrt(variance + (2 * _MIN_SIGMA * (1 - power)) ** 2),
        rings_used=rings_used,
    )
