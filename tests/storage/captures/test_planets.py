"""Planets against published ephemerides."""

from datetime import datetime, timedelta

import pytest

from configs.observatory import Site
from storage.captures.planets import GLOBES, Aspect, aspect, field_rotation_deg

# Meeus, Astronomical Algorithms (2nd edition), examples 42.a, 43.a and 45.a; his position angles are of the equinox of the date.


def test_mars_as_published() -> None:
    found = aspect("Mars", datetime(1992, 11, 9))
    assert found.meridian_deg == pytest.approx(111.55, abs=0.1)
    assert found.latitude_deg == pytest.approx(12.44, abs=0.1)
    assert found.pole_deg == pytest.approx(347.64, abs=0.1)
    assert found.diameter_arcsec == pytest.approx(10.75, rel=2e-3)


def test_jupiter_as_published() -> None:
    found = aspect("Jupiter", datetime(1992, 12, 16))
    of_the_lit_disc = 0.43  # the published meridian is that of the middle of the lit disc
    assert found.meridian_deg == pytest.approx(72.74 - of_the_lit_disc, abs=0.1)
    assert found.latitude_deg == pytest.approx(-2.48, abs=0.05)
    assert found.pole_deg == pytest.approx(24.80, abs=0.1)


def test_saturn_as_published() -> None:
    found = aspect("Saturn", datetime(1992, 12, 16))
    assert found.latitude_deg == pytest.approx(16.442, abs=0.05)
    assert found.pole_deg == pytest.approx(6.741, abs=0.1)
    outer_ring = found.diameter_arcsec * 2.27
    assert outer_ring == pytest.approx(35.87, rel=0.01)


@pytest.mark.parametrize(("planet", "hours"), [("Jupiter", 9.9281), ("Saturn", 10.6562), ("Mars", 24.6597)])
def test_a_planet_turns_once_in_its_day(planet: str, hours: float) -> None:
    """Seen from the Earth the day differs by the motion of both, by less than 1 in 500 of a turn."""
    moment = datetime(2026, 11, 20, 22, 14)
    before, after = (aspect(planet, each).meridian_deg for each in (moment, moment + timedelta(hours=hours)))
    assert abs((after - before + 180) % 360 - 180) < 0.7


def test_the_central_meridian_grows() -> None:
    moment = datetime(2026, 11, 20, 22, 14)
    for planet in GLOBES:
        before, after = (aspect(planet, moment + timedelta(minutes=m)).meridian_deg for m in (0, 20))
        rate = (after - before) % 360 * 72
        assert rate == pytest.approx(GLOBES[planet].rate_deg_per_day, rel=3e-3)


def test_north_tilts_away_from_the_zenith_as_a_star_passes_the_meridian() -> None:
    site = Site(latitude_deg=50.0, longitude_deg=8.0)
    star = Aspect(40.0, 0.0, 0.0, 0.0, 150.0, 10.0)
    hours = [datetime(2026, 3, 1, 18) + timedelta(hours=h) for h in range(12)]
    angles = [field_rotation_deg(site, star, hour) for hour in hours]
    east, west = (angles[k] or 0.0 for k in (2, 9))
    assert east < -10
    assert west > 10


def test_parallactic_angle_against_the_spherical_triangle() -> None:
    """At hour angle 6 h on the equator of the sky the zenith stands as far from the pole's direction as the colatitude."""
    star = Aspect(40.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    moment = datetime(2000, 1, 1, 12)
    site = Site(latitude_deg=50.0, longitude_deg=(90.0 - 280.46061837 + 180) % 360 - 180)
    assert field_rotation_deg(site, star, moment) == pytest.approx(90.0 - 50.0)


def test_no_field_rotation_without_a_site() -> None:
    assert field_rotation_deg(Site(latitude_deg=50.0), Aspect(40.0, 0, 0, 0, 150.0, 10.0), datetime(2026, 3, 1)) is None
