"""Estimates the seeing from the frames alone: how strongly, on average, the air damps each ring of spatial frequencies.

A blind solve cannot tell a soft sky under sharp PSFs from a sharp sky under soft ones. Two ratios of the frames'
spectra (ratios.py) do not contain the sky, and so pin the PSFs' mean power M(f) = <|H|^2>. Both are matched to simulated
Kolmogorov air over three unknowns: D/r0, the air's travel during one exposure, and the jitter that the alignment left.
D/r0 is measured well, the travel hardly: it leans on a prior, and the spread says so.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.seeing.speckle_transfer import STRENGTHS, TRAVELS, SpeckleTable, speckle_table
from tasks.numerics.seeing.spectral_ratios import Rings, SpectralSums, jackknife, measured, noise_beyond

F64 = NDArray[np.float64]

JITTERS_PX = np.linspace(0.0, 2.0, 21)
"""Misalignments tried, rms per axis: two pixels are a failed alignment."""
_TEMPER = 2.0  # neighbouring rings share their air: two rings count as one
_MODEL = 0.06  # what real air and few draws differ from the table's, in ln(D/r0): no fit is surer than this
_WIND = 10.0  # m/s, the usual 5/3-moment of the wind over the layers
_USUAL_S = 0.006  # s, exposure of a camera that does not tell it: 2 to 20 ms on bright things, faint ones take longer
_ALIGNED = 0.15  # resolutions that an alignment is off, rms per axis: on nine simulated captures 0.06 to 0.4


class Seeing(NamedTuple):
    """The air's strength and what it does to the mean power of the PSFs; curves are sampled at speckle.RINGS."""

    d_over_r0: float
    wind_travel_diameters: float
    """The air's travel during one exposure, in apertures."""
    jitter_px: float
    """What the alignment left, rms per axis."""
    log_d_over_r0_sigma: float
    """Standard deviation of ln(D/r0)."""
    mean_power: F64
    """<|H|^2> (ring,), 1 at zero frequency; the telescope's own damping is in it, the pixels' is not."""
    mean_otf: F64
    """|<H>| (ring,) of the frames as aligned."""
    log_power_sigma: F64
    """Standard deviation of ln(mean_power) (ring,)."""
    rings_used: int
    """How many rings rose above the noise; 0 means that only the prior speaks."""


def travel_prior(aperture_m: float, exposure_s: float | None) -> tuple[float, float]:
    """What wind and clock say of the air's travel during one exposure: (apertures, spread of its logarithm)."""
    if exposure_s:
        return _WIND * exposure_s / aperture_m, 0.6
    return _WIND * _USUAL_S / aperture_m, 1.0


def _usable(rings: Rings, noise: float, lowest: float) -> NDArray[np.bool_]:
    """Rings worth fitting: above the taper's reach, up to the first that drowns in noise."""
    good = np.isfinite(rings.coherence) & np.isfinite(rings.contrast) & (rings.signal > 0.5 * noise)
    good |= lowest > RINGS
    last = len(RINGS) if good.all() else int(np.argmin(good))
    somewhere = np.isfinite(rings.radius + rings.radius_squared)
    used: NDArray[np.bool_] = somewhere & (lowest <= RINGS) & (np.arange(len(RINGS)) < last) & (RINGS <= 0.7)
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


def _log_prior(travel: tuple[float, float] | None, cutoff: float) -> F64:
    """Log of the prior (strength, travel, jitter).

    Amateur to observatory seeing, exposures of about one r0 of air where nothing is known of them, alignments that seldom
    fail.
    """
    strength = -0.5 * (np.log(STRENGTHS / 7.0) / 0.8) ** 2
    centre = 1 / STRENGTHS if travel is None else np.full(len(STRENGTHS), travel[0])
    width = 1.0 if travel is None else travel[1]
    wind = -0.5 * (np.log(TRAVELS / np.clip(centre, TRAVELS[0], TRAVELS[-1])[:, None]) / width) ** 2
    aligned = -np.log1p((JITTERS_PX * cutoff / _ALIGNED) ** 2)
    log_prior: F64 = (strength[:, None] + wind)[..., None] + aligned
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
    log_posterior = _log_prior(travel, cutoff)
    if used.any():
        log_posterior -= 0.5 / _TEMPER * _misfit(rings, jackknife(sums, cutoff, noise), table, used, cutoff)
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
        wind_travel_diameters=float(np.exp(travels @ np.log(TRAVELS))),
        jitter_px=jitter,
        log_d_over_r0_sigma=float(np.hypot(_MODEL, np.sqrt(strengths @ (np.log(STRENGTHS) - strength) ** 2))),
        mean_power=power,
        mean_otf=np.sqrt(power * coherence),
        log_power_sigma=np.sqrt(variance + (2 * _MODEL * (1 - power)) ** 2),
        rings_used=rings_used,
    )
