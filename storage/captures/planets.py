"""How a planet stands at a moment: disc, axis and rotation, from the IAU's constants and a built-in ephemeris."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.observatory import Site
from configs.schema import ARCSEC_PER_RAD

J2000_JD = 2451545.0
LIGHT_KM_S = 299792.458
DAY_S = 86400.0


@dataclass(frozen=True)
class Globe:
    """A spheroid that turns, as the IAU's working group on cartographic coordinates gives it (2009, 2015)."""

    equatorial_km: float
    polar_km: float
    pole_deg: tuple[float, float]
    """Right ascension and declination of the north pole, J2000."""
    pole_deg_per_century: tuple[float, float]
    """How fast these change."""
    meridian_deg: float
    """Angle of the prime meridian at J2000."""
    rate_deg_per_day: float
    """How fast it turns."""
    system: str
    """Name of the rotation: what observers call these longitudes."""
    rings: tuple[float, float] | None = None
    """Inner and outer radius of rings that cover the disc, in equatorial radii."""

    @property
    def flattening(self) -> float:
        """(equatorial - polar) / equatorial radius."""
        return 1 - self.polar_km / self.equatorial_km


GLOBES = {
    "Jupiter": Globe(71492.0, 66854.0, (268.056595, 64.495303), (-0.006499, 0.002413), 43.3, 870.27, "System II"),
    "Saturn": Globe(
        60268.0, 54364.0, (40.589, 83.537), (-0.036, -0.004), 38.90, 810.7939024, "System III", (1.11, 2.27)
    ),
    "Mars": Globe(3396.19, 3376.20, (317.68143, 52.88650), (-0.1061, -0.0609), 176.630, 350.89198226, "areographic"),
}
"""Planets whose surface turns so fast, and shows so much, that a session has to undo it."""


@dataclass(frozen=True)
class Aspect:
    """How a planet stands at a moment, seen from the Earth's centre."""

    diameter_arcsec: float
    """Equatorial diameter."""
    latitude_deg: float
    """Planetocentric latitude of the sub-Earth point."""
    meridian_deg: float
    """Longitude of the central meridian, west positive, 0 .. 360."""
    pole_deg: float
    """Position angle of the north pole, from north to east."""
    right_ascension_deg: float
    """Of the planet, J2000."""
    declination_deg: float
    """Of the planet, J2000."""


def aspect(planet: str, moment: datetime) -> Aspect:
    """How a planet of GLOBES stands at a moment (UT). Against published ephemerides: 0.1 degree, 0.1 % of the diameter."""
    globe = GLOBES[planet]
    day, towards, distance_km = _place(planet, moment)
    century = day / 36525
    pole = [math.radians(a + b * century) for a, b in zip(globe.pole_deg, globe.pole_deg_per_century, strict=True)]
    north = _direction(pole[0], pole[1])
    node = np.array([-math.sin(pole[0]), math.cos(pole[0]), 0.0])
    back = -towards
    turned = globe.meridian_deg + globe.rate_deg_per_day * (day - distance_km / LIGHT_KM_S / DAY_S)
    east = math.degrees(math.atan2(back @ np.cross(north, node), back @ node)) - turned
    ra, dec = math.atan2(towards[1], towards[0]), math.asin(towards[2])
    to_east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    return Aspect(
        diameter_arcsec=2 * globe.equatorial_km / distance_km * ARCSEC_PER_RAD,
        latitude_deg=math.degrees(math.asin(back @ north)),
        meridian_deg=-east % 360,
        pole_deg=math.degrees(math.atan2(north @ to_east, north @ np.cross(towards, to_east))) % 360,
        right_ascension_deg=math.degrees(ra) % 360,
        declination_deg=math.degrees(dec),
    )


def field_rotation_deg(site: Site, seen: Aspect, moment: datetime) -> float | None:
    """Parallactic angle of a planet at a moment (UT), degrees: an alt-azimuth mount turns the field by its change.

    None where latitude or longitude of the site are not known.
    """
    if site.latitude_deg is None or site.longitude_deg is None:
        return None
    days = (moment.replace(tzinfo=None) - datetime(2000, 1, 1, 12)).total_seconds() / DAY_S
    sidereal = 280.46061837 + 360.98564736629 * days + site.longitude_deg
    hour = math.radians(sidereal - seen.right_ascension_deg)
    latitude, declination = math.radians(site.latitude_deg), math.radians(seen.declination_deg)
    below = math.tan(latitude) * math.cos(declination) - math.sin(declination) * math.cos(hour)
    return math.degrees(math.atan2(math.sin(hour), below))


def _place(planet: str, moment: datetime) -> tuple[float, NDArray[np.float64], float]:
    """Days since J2000 (TDB), direction from the Earth (unit vector, J2000) and distance in km; nothing is downloaded."""
    from astropy.coordinates import get_body
    from astropy.time import Time
    from astropy.utils import iers

    with iers.conf.set_temp("auto_download", False):
        time: Any = Time(moment.replace(tzinfo=None), scale="utc")
        body = get_body(planet.lower(), time, ephemeris="builtin")
        return float(time.tdb.jd - J2000_JD), _direction(body.ra.rad, body.dec.rad), float(body.distance.to_value("km"))


def _direction(ra: float, dec: float) -> NDArray[np.float64]:
    return np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])
