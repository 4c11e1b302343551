"""A planet's disc in a picture, from its limb: where it is and how large."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

RAYS = 180
MIN_DIAMETER_PX = 16
"""A smaller disc is mostly its own blur."""
MAX_SCATTER = 0.03
"""Scatter of the limb around the ellipse, as a fraction of the radius, beyond which it is no planet's limb."""
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
    return _ellipse(_limb(smooth, centre, typical), centre, typical)


def _limb(smooth: NDArray[np.float64], centre: NDArray[np.float64], typical: float) -> NDArray[np.float64]:
    """Places (ray, 2) y, x from the centre where the light falls steepest, within 30 % of the typical radius."""
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    radii = np.arange(0.7 * typical, 1.3 * typical, 0.1)
    ways = np.stack([np.sin(angles), np.cos(angles)], -1)
    places = centre[:, None, None] + ways.T[:, :, None] * radii
    falls = -np.gradient(ndimage.map_coordinates(smooth, places, order=3), axis=1)
    return np.asarray(ways * radii[falls.argmax(axis=1)][:, None])


def _ellipse(limb: NDArray[np.float64], centre: NDArray[np.float64], typical: float) -> Disc | None:
    """Ellipse by least squares, places off it (a moon, a shadow) left out twice."""
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
    return Disc((float(y), float(x)), float(2 * typical * np.sqrt(level / widths[0])))
