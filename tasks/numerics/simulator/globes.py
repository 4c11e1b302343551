"""A planet that turns, drawn from a map of its surface."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from tasks.numerics.fourier.binning import binned
from tasks.numerics.globe.spheroid import View, coordinates, surface_at

FINE = 3
"""Cells along each side of a pixel."""
DARKENING = 0.75
"""Exponent of the cosine of the angle of sight in the brightness."""


def globe(surface: NDArray[np.float64], view: View, size: int) -> NDArray[np.float32]:
    """A sky (y, x) of `size` pixels with the planet as `view` has it; `surface` (latitude, longitude) holds its light.

    The map begins at the north pole; its longitudes are west and begin at 0. Its light is about 1.
    """
    y, x = (np.indices((size * FINE, size * FINE)) + 0.5) / FINE - 0.5
    points = surface_at(view, y, x)
    latitude, longitude = coordinates(view, points.points)
    rows, columns = surface.shape
    at = [(90 - np.nan_to_num(latitude)) / 180 * rows - 0.5, np.nan_to_num(longitude) / 360 * columns]
    mu = points.mu.clip(0)
    light = map_coordinates(surface, at, order=1, mode="grid-wrap") * mu**DARKENING * (mu > 0)
    return np.asarray(binned(light, FINE) / 1.2, np.float32)
