"""A planet that turns, drawn from a map of its surface."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from tasks.numerics.fourier.binning import binned
from tasks.numerics.globe.derotation import Rings
from tasks.numerics.globe.spheroid import Values, View, coordinates, plane_of, surface_at

FINE = 3
"""Cells along each side of a pixel."""
DARKENING = 0.75
"""Exponent of the cosine of the angle of sight in the brightness."""


RING_LIGHT = 0.8
"""Light of rings, that of the middle of the disc being about 1."""
GAP = (0.72, 0.8)
"""Where a gap divides the rings, as shares of the way from their inner to their outer edge."""


def globe(surface: NDArray[np.float64], view: View, size: int, rings: Rings | None = None) -> NDArray[np.float32]:
    """A sky (y, x) of `size` pixels with the planet as `view` has it; `surface` (latitude, longitude) holds its light.

    The map begins at the north pole; its longitudes are west and begin at 0. Its light is about 1. Rings cover the disc with
    their near half, and are covered by it; they have no features that turn.
    """
    y, x = (np.indices((size * FINE, size * FINE)) + 0.5) / FINE - 0.5
    points = surface_at(view, y, x)
    latitude, longitude = coordinates(view, points.points)
    rows, columns = surface.shape
    at = [(90 - np.nan_to_num(latitude)) / 180 * rows - 0.5, np.nan_to_num(longitude) / 360 * columns]
    mu = points.mu.clip(0)
    light = map_coordinates(surface, at, order=1, mode="grid-wrap") * mu**DARKENING * (mu > 0)
    if rings is not None:
        light = _ringed(light, mu > 0, view, rings, *plane_of(view, y, x))
    return np.asarray(binned(light, FINE) / 1.2, np.float32)


def _ringed(
    light: NDArray[np.float64], on_disc: NDArray[np.bool_], view: View, rings: Rings, west: Values, north: Values
) -> NDArray[np.float64]:
    """The light with rings in the plane of the equator."""
    opening = np.sin(np.radians(view.latitude_deg))
    if abs(opening) < 1e-3:
        return light
    along = (np.hypot(west, north / opening) - rings.inner) / (rings.outer - rings.inner)
    lit = (along > 0) & (along < 1) & ~((along > GAP[0]) & (along < GAP[1]))
    shown = lit & (~on_disc | (north * opening < 0))
    return np.where(shown, RING_LIGHT, light)
