"""Pixels, plane of the sky, surface, and back."""

import numpy as np
import pytest

from tasks.numerics.globe.spheroid import (
    View,
    coordinates,
    pixels_of,
    plane_of,
    plane_of_surface,
    points_at,
    surface_at,
)

VIEW = View((31.2, 33.1), 20.0, 0.065, 3.0, 100.0, 20.0)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("north_deg", [0.0, 35.0, 200.0])
def test_pixels_to_the_plane_of_the_sky_and_back(north_deg: float, mirrored: bool) -> None:
    y, x = np.random.default_rng(0).uniform(0, 60, (2, 50))
    view = VIEW.oriented(north_deg, mirrored)
    np.testing.assert_allclose(pixels_of(view, *plane_of(view, y, x)), (y, x), atol=1e-10)


def test_north_is_where_it_was_said_and_west_to_its_right_on_the_sky() -> None:
    up = VIEW.oriented(0.0, False)
    y, x = pixels_of(up, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    np.testing.assert_allclose((y - 31.2, x - 33.1), ([0, -20], [20, 0]), atol=1e-9)
    left = VIEW.oriented(90.0, False)
    np.testing.assert_allclose(pixels_of(left, np.array(0.0), np.array(1.0)), (31.2, 13.1), atol=1e-9)
    assert pixels_of(up.oriented(0.0, True), np.array(1.0), np.array(0.0))[1] == pytest.approx(13.1)


def test_pixels_to_the_surface_and_back() -> None:
    y, x = np.indices((64, 64), dtype=float)
    surface = surface_at(VIEW, y, x)
    on = surface.mu > 0
    west, north, mu = plane_of_surface(VIEW, surface.points)
    back = pixels_of(VIEW, west, north)
    np.testing.assert_allclose(np.stack(back)[:, on], np.stack([y, x])[:, on], atol=1e-8)
    np.testing.assert_allclose(mu[on], surface.mu[on], atol=1e-9)
    assert np.isnan(surface.points[:, ~on]).all()


def test_the_disc_is_as_large_as_the_spheroid_seen_from_its_latitude() -> None:
    y, x = np.indices((640, 640), dtype=float) / 10
    for latitude in (0.0, 40.0, 90.0):
        view = View((32.0, 32.0), 20.0, 0.1, latitude, 0.0, 0.0)
        polar = 0.9 if latitude == 0 else np.hypot(0.9 * np.cos(np.radians(latitude)), np.sin(np.radians(latitude)))
        area = (surface_at(view, y, x).mu > 0).mean() * 64**2
        assert area == pytest.approx(np.pi * 20**2 * polar, rel=1e-3)


def test_surface_to_latitude_and_longitude_and_back() -> None:
    latitude, longitude = np.array([-60.0, 0.0, 45.0, 89.0]), np.array([0.0, 90.0, 359.0, 10.0])
    points = points_at(VIEW, latitude, longitude)
    np.testing.assert_allclose(points[0] ** 2 + points[1] ** 2 + (points[2] / VIEW.polar_ratio) ** 2, 1.0, atol=1e-12)
    np.testing.assert_allclose(coordinates(VIEW, points), (latitude, longitude), atol=1e-9)


def test_the_middle_of_the_disc_is_the_central_meridian_at_the_latitude() -> None:
    middle = surface_at(VIEW, np.array(31.2), np.array(33.1))
    latitude, longitude = coordinates(VIEW, middle.points)
    assert longitude == pytest.approx(100.0)
    assert np.degrees(np.arctan(np.tan(np.radians(latitude)) * VIEW.polar_ratio**2)) == pytest.approx(3.0)


def test_features_move_to_the_west_while_the_planet_turns() -> None:
    """Jupiter's red spot comes into view at the eastern limb: on the left where north is up."""
    spot = points_at(VIEW, np.array(0.0), np.array(100.0))
    up = VIEW.oriented(0.0, False)
    before, after = (plane_of_surface(up.turned(degrees), spot)[0] for degrees in (-20.0, 20.0))
    assert before < -0.3
    assert after > 0.3


def test_what_is_behind_the_limb_has_a_negative_cosine() -> None:
    back = points_at(VIEW, np.array(0.0), np.array(280.0))
    assert plane_of_surface(VIEW, back)[2] < -0.9
