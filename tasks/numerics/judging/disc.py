"""A planet's disc in a picture, from its limb: where it is and how large."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

RAYS = 180
MIN_DIAMETER_PX = 16
"""A smaller disc is mostly its own blur."""
MAX_SCATTER = 0.03
"""Scatter of the limb around the ellipse, as a fraction of the radius, beyond which it is no planet's limb."""
MOST_GROWTH = 1.1
"""Most by which the limb may lie outside the steepest fall of light."""
MIN_AXIS_RATIO = 0.8
"""A flatter ellipse is a phase, or no planet."""


@dataclass(frozen=True)
class Disc:
    """The ellipse of a planet's limb."""

    centre_px: tuple[float, float]
    """y, x of its middle."""
    diameter_px: float
    """Its long axis."""


def disc_diameter_px(picture: NDArray[np.floating]) -> float | None:
    """Long axis of the ellipse through the limb; None where there is no disc."""
    found = disc_of(picture)
    return found.diameter_px if found else None


def disc_of(picture: NDArray[np.floating]) -> Disc | None:
    """The ellipse through the steepest places along rays from the disc's centre; None where there is no disc.

    The picture (y, x) must hold the whole disc on a dark sky.
    """
    smooth = ndimage.gaussian_filter(picture.astype(np.float64), 1.0)
    dark, bright = (
        np.percentile(np.concatenate([smooth[[0, -1]].ravel(), smooth[:, [0, -1]].ravel()]), 90),
        smooth.max(),
    )
    lit, count = ndimage.label(smooth > dark + 0.3 * (bright - dark))
    if count == 0 or not bright > dark:
        return None
    largest = lit == 1 + int(np.argmax(np.bincount(lit.ravel())[1:]))
    centre = np.array(ndimage.center_of_mass(largest))
    typical = float(np.sqrt(largest.sum() / np.pi))
    reach = 1.4 * typical
    if (
        2 * typical < MIN_DIAMETER_PX
        or not (reach < centre).all()
        or not (centre + reach < np.array(picture.shape)).all()
    ):
        return None
    steepest = _ellipse(_limb(smooth, centre, typical), centre, typical)
    if steepest is None:
        return None
    disc, shape = steepest
    grown = _limb_over_steepest(smooth, disc, shape)
    return Disc(disc.centre_px, disc.diameter_px * grown)


def _limb_over_steepest(smooth: NDArray[np.float64], disc: Disc, shape: NDArray[np.float64]) -> float:
    """Radius of the limb over that of the steepest fall of light, which darkening and blur move inwards.

    The mean profile is compared with a disc whose light falls to the limb as a power of the cosine of the angle of sight,
    blurred; `shape` is the quadratic form that is one on the ellipse.
    """
    y, x = np.indices(smooth.shape).astype(np.float64)
    down, right = y - disc.centre_px[0], x - disc.centre_px[1]
    distance = np.sqrt(shape[0, 0] * down**2 + 2 * shape[0, 1] * down * right + shape[1, 1] * right**2)
    step = max(0.01, 1.0 / disc.diameter_px)
    edges = np.arange(0.5, 1.35, step)
    number = np.digitize(distance.ravel(), edges)
    light = smooth.ravel()
    means = np.array([np.median(light[number == k]) if (number == k).any() else np.nan for k in range(1, len(edges))])
    known, middles = np.isfinite(means), edges[:-1] + step / 2
    scale = float(np.nanmax(means) - np.nanmin(means))
    if known.sum() < 20 or scale <= 0:
        return 1.0
    shown = (means[known] - np.nanmin(means)) / scale

    def misfit(of: NDArray[np.float64]) -> NDArray[np.float64]:
        model = _profile(middles[known], *of[:3])
        terms = np.stack([model, np.ones_like(model)], -1)
        return np.asarray(terms @ np.linalg.lstsq(terms, shown, rcond=None)[0] - shown)

    pixel = 2 / disc.diameter_px
    found = optimize.least_squares(
        misfit, [1.02, 0.7, 1.5 * pixel], bounds=([0.98, 0.05, 0.5 * pixel], [MOST_GROWTH, 2.0, 6 * pixel])
    )
    return float(found.x[0])


def _profile(radii: NDArray[np.float64], limb: float, power: float, blur: float) -> NDArray[np.float64]:
    """Light at `radii` of a disc with this limb, darkened by this power of the cosine, blurred."""
    fine = np.arange(0.0, 1.7, 0.004)
    sharp = np.clip(1 - (fine / limb) ** 2, 0, 1) ** (power / 2) * (fine < limb)
    return np.interp(radii, fine, ndimage.gaussian_filter1d(sharp, blur / 0.004, mode="reflect"))


def _limb(smooth: NDArray[np.float64], centre: NDArray[np.float64], typical: float) -> NDArray[np.float64]:
    """Places (ray, 2) y, x from the centre where the light falls steepest, within 30 % of the typical radius."""
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    radii = np.arange(0.7 * typical, 1.3 * typical, 0.1)
    ways = np.stack([np.sin(angles), np.cos(angles)], -1)
    places = centre[:, None, None] + ways.T[:, :, None] * radii
    falls = -np.gradient(ndimage.map_coordinates(smooth, places, order=3), axis=1)
    return np.asarray(ways * radii[falls.argmax(axis=1)][:, None])


def _ellipse(
    limb: NDArray[np.float64], centre: NDArray[np.float64], typical: float
) -> tuple[Disc, NDArray[np.float64]] | None:
    """Ellipse by least squares and its quadratic form (px); places off it (a moon, a shadow) left out twice."""
    kept = np.ones(len(limb), bool)
    for _ in range(3):
        y, x = limb[kept].T / typical
        fit = np.linalg.lstsq(np.stack([y * y, x * y, x * x, y, x], -1), np.ones(kept.sum()), rcond=None)[0]
        y, x = limb.T / typical
        off = fit[0] * y * y + fit[1] * x * y + fit[2] * x * x + fit[3] * y + fit[4] * x - 1
        scatter = float(np.median(np.abs(off[kept])))
        kept = np.abs(off) < max(4 * scatter, 1e-3)
    shape = np.array([[fit[0], fit[1] / 2], [fit[1] / 2, fit[2]]])
    widths = np.linalg.eigvalsh(shape)
    if scatter > 2 * MAX_SCATTER or widths[0] <= 0 or widths[0] / widths[1] < MIN_AXIS_RATIO**2 or kept.mean() < 0.6:
        return None
    middle = np.linalg.solve(-2 * shape, fit[3:])
    level = 1 + float(middle @ shape @ middle)
    y, x = centre + typical * middle
    disc = Disc((float(y), float(x)), float(2 * typical * np.sqrt(level / widths[0])))
    return disc, shape / level / typical**2
