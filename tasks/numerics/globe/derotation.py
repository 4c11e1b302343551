"""A picture of a turning planet as it would look at another moment, and where it can say nothing about that."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.globe.spheroid import View, coordinates, grid, pixels_of, plane_of, plane_of_surface, surface_at

Image = NDArray[np.float32]
Values = NDArray[np.float64]

LIMB_MU = (0.15, 0.4)
"""Between these cosines of the angle of sight the weight of the surface grows from 0 to 1: nearer the limb a pixel shows too
much of the surface at once, and its blur reaches beyond the disc."""
SPLINE = 5
"""Order of the interpolation: a critically sampled picture loses less than a hundredth of its finest believed detail."""

BAND_DEG = 4.0
"""Width of the bands of latitude in which the darkening is measured."""
MAX_GAIN = 3.0
"""Most by which brightness is changed for another angle of sight."""


@dataclass(frozen=True)
class Rings:
    """Rings around a planet's equator, which do not turn with it and cover part of the disc."""

    inner: float
    """Inner radius over the planet's equatorial radius."""
    outer: float
    """Outer radius over the planet's equatorial radius."""


@dataclass(frozen=True)
class Derotated:
    """A picture brought to another view."""

    turned: Image
    """(channel, y, x) with the surface moved to where it stands in the other view; outside the disc as `still`."""
    still: Image
    """(channel, y, x) only moved, turned and scaled as a whole: what does not turn with the planet."""
    source: Image
    """(y, x) 0..1, how well the picture saw what the other view shows there: 0 behind the limb; 1 beside the disc."""
    target: Image
    """(y, x) 0..1, how far the pixel is surface in the other view: 0 beside the disc and at the limb."""


def derotated(
    picture: Image, seen: View, wanted: View, darkening: float = 0.0, rings: Rings | None = None
) -> Derotated:
    """A picture (channel, y, x) that shows the planet as `seen`, brought to the view `wanted`, on the same grid.

    `darkening` is the exponent of the cosine of the angle of sight in the planet's brightness: what comes nearer the middle of
    the disc is made brighter by it. Light per pixel stays as it is where the scale changes.
    """
    y, x = grid(picture.shape)
    surface = surface_at(wanted, y, x)
    west, north, mu = plane_of_surface(seen, surface.points)
    target = weight_of(surface.mu)
    if rings is not None:
        target = np.where(covered(wanted, rings, y, x) | covered_in_plane(seen, rings, west, north), 0.0, target)
    shown = target > 0
    straight = pixels_of(seen, *plane_of(wanted, y, x))
    bent = [
        np.where(shown & (mu > 0), there, here)
        for there, here in zip(pixels_of(seen, west, north), straight, strict=True)
    ]
    gain = np.where(shown & (mu > 0), (surface.mu.clip(1e-3) / np.nan_to_num(mu, nan=1.0).clip(1e-3)) ** darkening, 1.0)
    gain = gain.clip(1 / MAX_GAIN, MAX_GAIN)
    source = np.where(shown, weight_of(np.nan_to_num(mu, nan=-1.0)), 1.0)
    still, turned = (np.stack([_sampled(plane, way) for plane in picture]) for way in (straight, bent))
    return Derotated(
        (turned * gain).astype(np.float32),
        still.astype(np.float32),
        source.astype(np.float32),
        target.astype(np.float32),
    )


def weight_of(mu: Values) -> Values:
    """Weight 0..1 of surface seen under an angle of this cosine."""
    along = ((mu - LIMB_MU[0]) / (LIMB_MU[1] - LIMB_MU[0])).clip(0, 1)
    return np.asarray(along**2 * (3 - 2 * along))


def covered(view: View, rings: Rings, y: Values, x: Values) -> NDArray[np.bool_]:
    """Pixels in which the near half of the rings lies before the disc."""
    return covered_in_plane(view, rings, *plane_of(view, y, x))


def covered_in_plane(view: View, rings: Rings, west: Values, north: Values) -> NDArray[np.bool_]:
    """The same for places in the plane of the sky; no ring covers anything where it is seen from the edge."""
    opening = np.sin(np.radians(view.latitude_deg))
    if abs(opening) < 1e-3:
        return np.zeros(west.shape, bool)
    distance = np.hypot(west, north / opening)
    return np.asarray((distance > rings.inner) & (distance < rings.outer) & (north * opening < 0))


def darkening_of(picture: Image, view: View) -> float:
    """Exponent of the cosine of the angle of sight that follows the brightness of a disc (y, x) best, 0 .. 1.5.

    Compared is what lies on one circle of latitude, along which a planet turns: belts, and poles that are dark by
    themselves, are no darkening towards the limb.
    """
    y, x = grid(picture.shape)
    surface = surface_at(view, y, x)
    mu = surface.mu
    dark = float(np.median(picture[mu <= 0])) if (mu <= 0).any() else 0.0
    light = picture - dark
    used = (mu > 0.3) & (light > 0)
    if used.sum() < 20:
        return 0.0
    latitude, _ = coordinates(view, surface.points[:, used])
    band = ((latitude + 90) / BAND_DEG).astype(int)
    counts = np.maximum(np.bincount(band), 1)
    curves = np.log(mu[used]), np.log(light[used])
    along, bright = (each - (np.bincount(band, each) / counts)[band] for each in curves)
    spread = float((along**2).sum())
    return float(np.clip((along * bright).sum() / spread, 0.0, 1.5)) if spread > 0 else 0.0


def _sampled(plane: Image, way: tuple[Values, Values] | list[Values]) -> Values:
    places = [np.nan_to_num(each, nan=-1.0) for each in way]
    return np.asarray(ndimage.map_coordinates(plane.astype(np.float64), places, order=SPLINE, mode="nearest"))
