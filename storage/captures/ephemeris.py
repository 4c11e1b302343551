"""How large a planet stands in the sky on the date of a capture, by astropy's built-in ephemeris: nothing is downloaded."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from configs.schema import ARCSEC_PER_RAD
from storage.captures.readers import started
from storage.captures.sidecars import log_of
from storage.captures.target import origin_of

EQUATORIAL_RADIUS_KM = {
    "Mercury": 2440.5,
    "Venus": 6051.8,
    "Mars": 3396.2,
    "Jupiter": 71492.0,
    "Uranus": 25559.0,
    "Neptune": 24764.0,
}
"""Planets whose disc is measured by its limb; Saturn's rings and the discs of Sun and Moon are no such limb."""


def planet_of(capture: Path) -> tuple[str, datetime] | None:
    """Planet and time of a capture; None where its own header or log does not tell the time: a file's date may be a copy's."""
    target = origin_of(capture).target
    moment = started(capture) or log_of(capture).started
    return (target, moment) if target in EQUATORIAL_RADIUS_KM and moment is not None else None


def disc_arcsec(planet: str, moment: datetime) -> float | None:
    """Equatorial diameter from the Earth's centre; the local time zone changes it by less than 1 in 1000."""
    from astropy.coordinates import get_body
    from astropy.time import Time
    from astropy.utils import iers

    with suppress(ValueError), iers.conf.set_temp("auto_download", False):
        time = Time(moment.replace(tzinfo=None))
        distance_km = float(get_body(planet.lower(), time, ephemeris="builtin").distance.to_value("km"))
        return 2 * EQUATORIAL_RADIUS_KM[planet] / distance_km * ARCSEC_PER_RAD
    return None
