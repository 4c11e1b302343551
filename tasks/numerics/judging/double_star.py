"""A double star measured: two copies of the telescope's PSF fitted to a picture, with errors for correlated noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Image = NDArray[np.float32]
F64 = NDArray[np.float64]

MAX_SIDE_PX = 96
"""Side of the part of the picture that is fitted, around the brightest star."""
BRIGHT, MAX_AREA = 0.1, 30.0
"""Stars have few pixels brighter than this fraction of the peak: at most so many squares of side lambda/D."""
MIN_EXPLAINED = 0.97
"""Fraction of the light's power that the stars must explain, that of even noise not counted."""
MAX_OTHERS = 6
"""Stars beside the pair that are fitted with it: a field star left out would be light that nothing explains."""
OTHERS_OVER_NOISE, OVER_NOISE = 8.0, 5.0
"""How far the brightest rest must stand out, in robust standard deviations of the rest, to be looked at as another star;
and above how many of these light is no noise."""
OTHERS_APART = 1.5
"""Wavelengths / D that another star is away from all: what is nearer belongs to the shape of something that is no star."""
MIN_IMPROVEMENT = 30.0
"""Fall of chi2, in units of the noise found, from one star to two, below which no companion is claimed."""
MAX_MAGNITUDE_ERROR = 0.15
"""Larger errors of the difference of magnitudes are those of chance companions: the faint star is below 7 sigma."""
MAX_RESOLVED_ERROR = 0.3
"""The same of a companion that stands apart and is no artefact of a solved sky beside a star: these are faint."""
APART, ARTEFACT = 1.2, 0.2
"""Wavelengths / D between stars that stand apart; brightest artefact, as a fraction of the star's light."""
RINGS = 12
"""Rings of spatial frequency in which the noise's power is averaged."""
MAX_BLUR_PX = 4.0


@dataclass(frozen=True)
class DoubleStar:
    """Two stars, the brighter one first; every error is one standard deviation."""

    separation_px: float
    separation_error_px: float
    angle_deg: float
    """Of the companion, from the picture's up (to row 0) counter-clockwise (towards column 0), 0..360."""
    angle_error_deg: float
    delta_magnitude: float
    delta_magnitude_error: float


@dataclass(frozen=True)
class _Fit:
    values: F64
    """y, x, flux of each star, then background and blur (px rms)."""
    chi2: float
    """Sum over the pixels, not reduced."""


class _Model:
    """Stars as the telescope shows them, on a periodic grid."""

    def __init__(self, data: F64, sigma: F64, cutoff_cpp: float, obstruction: float) -> None:
        self.data, self.sigma, self.shape = data, sigma, data.shape
        self.fy, self.fx = np.fft.fftfreq(data.shape[0])[:, None], np.fft.rfftfreq(data.shape[1])[None]
        self.square = self.fy**2 + self.fx**2
        self.transfer = annular_transfer(np.sqrt(self.square) / cutoff_cpp, obstruction)

    def picture(self, values: F64) -> F64:
        """(y, x) of stars with these values."""
        *stars, background, blur = values
        light = np.zeros(self.transfer.shape, np.complex128)
        for y, x, flux in np.reshape(stars, (-1, 3)):
            light += flux * np.exp(-2j * np.pi * (self.fy * y + self.fx * x))
        shown = light * self.transfer * np.exp(-2 * (np.pi * blur) ** 2 * self.square)
        return np.asarray(np.fft.irfft2(shown, s=self.shape) + background)

    def residual(self, values: F64) -> F64:
        """(pixel,) in units of the standard error."""
        return np.asarray(((self.data - self.picture(values)) / self.sigma).ravel())

    def fit(self, start: list[float]) -> _Fit:
        """The best values from a start."""
        scale = np.array([1.0, 1.0, max(start[2], 1e-30)] * (len(start) // 3) + [max(start[2], 1e-30) / 100, 1.0])
        low, high = np.full(len(start), -np.inf), np.full(len(start), np.inf)
        low[2:-2:3], low[-1], high[-1] = 0.0, 0.0, MAX_BLUR_PX
        found = optimize.least_squares(self.residual, start, bounds=(low, high), x_scale=scale, max_nfev=60)
        return _Fit(found.x, 2 * float(found.cost))


def annular_transfer(fraction: F64, obstruction: float) -> F64:
    """Transfer of an annular aperture at fractions of its cut-off, one at zero; by the areas of overlapping discs."""

    def overlap(distance: F64, one: float, other: float) -> F64:
        big, small = max(one, other), min(one, other)
        d = np.clip(distance, 1e-9, None)
        a = np.arccos(np.clip((d**2 + small**2 - big**2) / (2 * d * max(small, 1e-9)), -1, 1))
        b = np.arccos(np.clip((d**2 + big**2 - small**2) / (2 * d * big), -1, 1))
        root = np.clip((-d + small + big) * (d + small - big) * (d - small + big) * (d + small + big), 0, None)
        return np.asarray(small**2 * a + big**2 * b - np.sqrt(root) / 2)

    d = 2 * np.asarray(fraction, np.float64)
    area = overlap(d, 1.0, 1.0)
    if obstruction > 0:
        area = area - 2 * overlap(d, 1.0, obstruction) + overlap(d, obstruction, obstruction)
    return np.asarray(np.clip(area / (np.pi * (1 - obstruction**2)), 0, 1))


def double_star(picture: Image, sigma: Image, cutoff_cpp: float, obstruction: float) -> DoubleStar | None:
    """The two brightest stars of a picture (y, x), None where it shows one star, or something that is none.

    `sigma` (y, x) is the standard error; its scale does not matter, for the noise is taken from what the fit leaves.
    """
    data, error = _cut(np.asarray(picture, np.float64), np.asarray(sigma, np.float64))
    dark = float(np.median(data))
    bright = int((data - dark > max(BRIGHT * (data.max() - dark), OVER_NOISE * _spread(data))).sum())
    if not 0 < bright * cutoff_cpp**2 <= MAX_AREA:
        return None
    model = _Model(data, np.maximum(error, 1e-6 * float(np.ptp(data)) + 1e-30), cutoff_cpp, obstruction)
    single = model.fit([*_peak(data), max(float((data - dark).sum()), 1e-30), dark, 0.3])
    pair = min((model.fit(start) for start in _starts(model, single, cutoff_cpp)), key=lambda fit: fit.chi2)
    stars = _with_others(model, pair, cutoff_cpp)
    left = data - model.picture(stars.values)
    noise = max(stars.chi2 / data.size, 1e-30)
    light, rest = (float(each.var()) - _spread(left) ** 2 for each in (data, left))
    if rest > (1 - MIN_EXPLAINED) * light or (single.chi2 - pair.chi2) / noise < MIN_IMPROVEMENT:
        return None
    found = _measured(model, stars)
    is_plain = found.separation_px * cutoff_cpp > APART and found.delta_magnitude < -2.5 * math.log10(ARTEFACT)
    limit = MAX_RESOLVED_ERROR if is_plain else MAX_MAGNITUDE_ERROR
    return found if found.delta_magnitude_error < limit else None


def _spread(rest: F64) -> float:
    """Standard deviation of noise among which a few pixels hold something else."""
    return float(np.median(np.abs(rest - np.median(rest)))) / 0.6745


def _cut(data: F64, sigma: F64) -> tuple[F64, F64]:
    """The part around the brightest pixel."""
    row, column = (round(n) for n in _peak(data))
    corner = [
        max(0, min(p - MAX_SIDE_PX // 2, n - MAX_SIDE_PX)) for p, n in zip((row, column), data.shape, strict=True)
    ]
    part = tuple(slice(c, c + MAX_SIDE_PX) for c in corner)
    return data[part], sigma[part]


def _peak(data: F64) -> tuple[float, float]:
    row, column = np.unravel_index(int(data.argmax()), data.shape)
    return float(row), float(column)


def _starts(model: _Model, single: _Fit, cutoff_cpp: float) -> list[list[float]]:
    """Where a companion may stand: at the brightest rest beside one star, and close by on four sides."""
    rest = model.data - model.picture(single.values)
    y, x, flux, background, _ = single.values
    row, column = _peak(rest)
    starts = [[y, x, flux * 0.9, row, column, flux * 0.1, background, 0.3]]
    step = 0.5 / cutoff_cpp
    for angle in np.arange(4) * np.pi / 4:
        dy, dx = step * math.sin(angle), step * math.cos(angle)
        starts.append([y - dy, x - dx, flux / 2, y + dy, x + dx, flux / 2, background, 0.3])
    return starts


def _with_others(model: _Model, pair: _Fit, cutoff_cpp: float) -> _Fit:
    """The pair with the other stars of the picture, the two brightest first."""
    best = pair
    for _ in range(MAX_OTHERS):
        rest = model.data - model.picture(best.values)
        row, column = _peak(rest)
        stars = best.values[:-2].reshape(-1, 3)
        apart = np.hypot(stars[:, 0] - row, stars[:, 1] - column).min() * cutoff_cpp
        if rest.max() < OTHERS_OVER_NOISE * _spread(rest) or apart < OTHERS_APART:
            break
        shown = float(model.picture(np.array([*stars[0], 0.0, best.values[-1]])).max())
        flux = stars[0, 2] * float(rest.max()) / max(shown, 1e-30)
        more = model.fit([*best.values[:-2], row, column, flux, *best.values[-2:]])
        if best.chi2 - more.chi2 < MIN_IMPROVEMENT * more.chi2 / model.data.size:
            break
        best = more
    stars = best.values[:-2].reshape(-1, 3)
    order = np.argsort(-stars[:, 2], kind="stable")
    return _Fit(np.concatenate([stars[order].ravel(), best.values[-2:]]), best.chi2)


def _measured(model: _Model, pair: _Fit) -> DoubleStar:
    """Separation, angle and difference of magnitudes with their errors."""

    def derived(values: F64) -> F64:
        one, other = sorted(np.reshape(values[:6], (2, 3)), key=lambda star: -star[2])
        dy, dx = other[:2] - one[:2]
        magnitude = 2.5 * math.log10(max(one[2], 1e-30) / max(other[2], 1e-30))
        return np.array([math.hypot(dy, dx), math.degrees(math.atan2(-dx, -dy)), magnitude])

    covariance, best = _covariance(model, pair.values), derived(pair.values)
    steps = 1e-4 * np.maximum(np.abs(pair.values), 1e-3)
    slopes = []
    for number, step in enumerate(steps):
        moved = pair.values.copy()
        moved[number] += step
        change = derived(moved) - best
        change[1] = (change[1] + 180) % 360 - 180
        slopes.append(change / step)
    slope = np.array(slopes)
    error = np.sqrt(np.clip(np.diag(slope.T @ covariance @ slope), 0, None))
    return DoubleStar(
        float(best[0]), float(error[0]), float(best[1] % 360), float(error[1]), float(best[2]), float(error[2])
    )


def _covariance(model: _Model, values: F64) -> F64:
    """Of the values, for noise of the power spectrum that the fit's residuals show: neighbouring pixels of a sky agree."""
    rest = model.residual(values)
    steps = 1e-4 * np.maximum(np.abs(values), 1e-2)
    steps[-1] = 0.01  # the blur enters as its square
    columns = []
    for number, step in enumerate(steps):
        ahead = values.copy()
        ahead[number] += step
        columns.append((model.residual(ahead) - rest) / step)
    jacobian = np.array(columns).T
    inverse = np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14)
    power = np.abs(np.fft.fft2(rest.reshape(model.shape))) ** 2 / rest.size
    radius = np.hypot(np.fft.fftfreq(model.shape[0])[:, None], np.fft.fftfreq(model.shape[1])[None])
    ring = np.minimum((radius * 2 * RINGS).astype(int), RINGS - 1)
    mean = np.bincount(ring.ravel(), power.ravel(), RINGS) / np.maximum(np.bincount(ring.ravel(), minlength=RINGS), 1)
    waves = np.fft.fft2(jacobian.T.reshape(-1, *model.shape)).reshape(len(values), -1)
    middle = (waves.conj() * mean[ring].ravel()) @ waves.T / rest.size
    return np.asarray(inverse @ middle.real @ inverse)
