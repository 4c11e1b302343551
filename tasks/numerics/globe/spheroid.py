"""How a spheroid that turns stands in a picture: from pixels to its surface and back."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """The disc of a planet in a picture (y down, x to the right)."""

    centre_px: tuple[float, float]
    """y, x of its middle."""
    radius_px: float
    """Equatorial radius."""
    flattening: float
    """(equatorial - polar) / equatorial radius."""
    latitude_deg: float
    """Planetocentric latitude of the point in the middle of the disc."""
    meridian_deg: float
    """Longitude of the central meridian, west positive: it grows while the planet turns, and features move to the west."""
    north_deg: float
    """Direction of the north pole, from up (-y) to the left, anticlockwise."""
    mirrored: bool = False
    """Whether west is to the left where north is up; on the sky, seen directly, it is to the right."""

    @property
    def polar_ratio(self) -> float:
        """Polar over equatorial radius."""
        return 1.0 - self.flattening

    def turned(self, degrees: float) -> "View":
        """The same planet after it has turned further."""
        return replace(self, meridian_deg=self.meridian_deg + degrees)

    def moved(self, dy: float, dx: float) -> "View":
        """The same disc elsewhere in the picture."""
        return replace(self, centre_px=(self.centre_px[0] + dy, self.centre_px[1] + dx))

    def oriented(self, north_deg: float, mirrored: bool) -> "View":
        """The same disc in a picture that was turned or mirrored."""
        return replace(self, north_deg=north_deg, mirrored=mirrored)


@dataclass(frozen=True)
class Surface:
    """Points of the surface, as unit-free body coordinates in equatorial radii."""

    points: Values
    """(3, ...) towards longitude 0, towards 90 degrees west, towards north; nan beside the planet."""
    mu: Values
    """Cosine of the angle between the vertical and the line of sight; 0 beside the planet, negative on the far side."""


def grid(shape: tuple[int, ...]) -> tuple[Values, Values]:
    """Places (y, x) of the pixels of a picture (..., y, x)."""
    places = np.indices(shape[-2:]).astype(np.float64)
    return places[0], places[1]


def plane_of(view: View, y: Values, x: Values) -> tuple[Values, Values]:
    """Pixels as (to the west, to the north) in equatorial radii from the middle of the disc."""
    down, right = (y - view.centre_px[0]) / view.radius_px, (x - view.centre_px[1]) / view.radius_px
    cos, sin = np.cos(np.radians(view.north_deg)), np.sin(np.radians(view.north_deg))
    west = (right * cos - down * sin) * (-1 if view.mirrored else 1)
    return west, -right * sin - down * cos


def pixels_of(view: View, west: Values, north: Values) -> tuple[Values, Values]:
    """Pixels (y, x) of places in the plane of the sky, the inverse of `plane_of`."""
    cos, sin = np.cos(np.radians(view.north_deg)), np.sin(np.radians(view.north_deg))
    side = -west if view.mirrored else west
    down, right = -side * sin - north * cos, side * cos - north * sin
    return view.centre_px[0] + view.radius_px * down, view.centre_px[1] + view.radius_px * right


def surface_at(view: View, y: Values, x: Values) -> Surface:
    """The points of the surface that pixels show."""
    return surface_in_plane(view, *plane_of(view, y, x))


def surface_in_plane(view: View, west: Values, north: Values) -> Surface:
    """The same from places in the plane of the sky."""
    cos, sin = np.cos(np.radians(view.latitude_deg)), np.sin(np.radians(view.latitude_deg))
    flat = view.polar_ratio**-2
    # A line of sight is north * (0, -sin, cos) + depth * (0, cos, sin) + west * (1, 0, 0), and meets the spheroid twice.
    a, b = cos**2 + flat * sin**2, north * sin * cos * (flat - 1)
    c = west**2 + north**2 * (sin**2 + flat * cos**2) - 1
    root = b**2 - a * c
    hit = root > 0
    depth = np.where(hit, (-b + np.sqrt(np.where(hit, root, 0.0))) / a, np.nan)
    towards, up = -sin * north + cos * depth, cos * north + sin * depth
    # Right of the central meridian is what has passed it: a smaller longitude west.
    angle = np.radians(view.meridian_deg)
    points = np.stack(
        [towards * np.cos(angle) + west * np.sin(angle), towards * np.sin(angle) - west * np.cos(angle), up]
    )
    return Surface(points, np.nan_to_num(_mu(view, towards, up, points)))


def plane_of_surface(view: View, points: Values) -> tuple[Values, Values, Values]:
    """(west, north, mu) of points of the surface, on the far side too, where mu is negative."""
    angle = np.radians(view.meridian_deg)
    towards = points[0] * np.cos(angle) + points[1] * np.sin(angle)
    west = points[0] * np.sin(angle) - points[1] * np.cos(angle)
    cos, sin = np.cos(np.radians(view.latitude_deg)), np.sin(np.radians(view.latitude_deg))
    return west, cos * points[2] - sin * towards, _mu(view, towards, points[2], points)


def _mu(view: View, towards: Values, up: Values, points: Values) -> Values:
    """Cosine between vertical and line of sight."""
    flat = view.polar_ratio**-2
    length = np.sqrt(points[0] ** 2 + points[1] ** 2 + (flat * points[2]) ** 2)
    latitude = np.radians(view.latitude_deg)
    return np.asarray((np.cos(latitude) * towards + np.sin(latitude) * flat * up) / length)


def coordinates(view: View, points: Values) -> tuple[Values, Values]:
    """Planetographic latitude and longitude west of points of the surface, degrees."""
    across = np.hypot(points[0], points[1])
    latitude = np.degrees(np.arctan2(points[2] * view.polar_ratio**-2, across))
    return latitude, np.degrees(np.arctan2(points[1], points[0])) % 360


def points_at(view: View, latitude_deg: Values, longitude_deg: Values) -> Values:
    """Points (3, ...) of the surface at planetographic latitudes and longitudes west, the inverse of `coordinates`."""
    parametric = np.arctan(np.tan(np.radians(latitude_deg)) * view.polar_ratio)
    west, across = np.radians(longitude_deg), np.cos(parametric)
    return np.stack([across * np.cos(west), across * np.sin(west), view.polar_ratio * np.sin(parametric)])
