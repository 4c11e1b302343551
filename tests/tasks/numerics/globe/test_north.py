"""North is found by the agreement of early and late pictures of a turning planet."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.numerics.globe.north import Part, find_orientation, oriented
from tasks.numerics.globe.spheroid import View
from tests.tasks.numerics.globe.conftest import Film

VIEW = View((35.0, 36.0), 27.0, 0.065, 3.0, 100.0, 0.0)


def session(film: Film, north_deg: float, mirrored: bool, field_deg: float = 0.0, latitude: float = 3.0) -> list[Part]:
    """Six pictures over 12 degrees of rotation; the field turns by `field_deg` from one to the next."""
    parts = []
    for k in range(6):
        view = replace(VIEW, latitude_deg=latitude, north_deg=field_deg * k).turned(2.4 * k)
        parts.append(Part(film(oriented(view, north_deg, mirrored), 0.01, k), view))
    return parts


def motion(north_deg: float, mirrored: bool) -> float:
    """Direction in which the middle of the disc moves."""
    return (north_deg + (90 if mirrored else -90)) % 360


@pytest.mark.parametrize(("north_deg", "mirrored"), [(0.0, False), (73.0, True), (200.0, False)])
def test_the_direction_of_the_rotation_is_found_to_a_few_degrees(film: Film, north_deg: float, mirrored: bool) -> None:
    found = find_orientation(session(film, north_deg, mirrored), 0.75)
    off = (motion(found.north_deg, found.mirrored) - motion(north_deg, mirrored) + 180) % 360 - 180
    assert abs(off) < 6
    assert found.agreement > max(found.agreement_still, found.agreement_against) + 0.02


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_tilted_axis_tells_a_mirrored_picture(film: Film, mirrored: bool) -> None:
    found = find_orientation(session(film, 40.0, mirrored, latitude=25.0), 0.75)
    assert (found.is_sided, found.mirrored) == (True, mirrored)
    assert found.north_deg == pytest.approx(40.0, abs=6)


def test_a_field_that_turns_meanwhile_is_followed(film: Film) -> None:
    found = find_orientation(session(film, 120.0, False, field_deg=4.0), 0.75)
    assert motion(found.north_deg, found.mirrored) == pytest.approx(30.0, abs=6)


def test_a_small_disc_whose_limb_is_blurred_agrees_better_once_it_is_turned_back(film: Film) -> None:
    """A blurred limb stands still while the planet turns: on a disc of 32 px it outweighed the surface."""
    small = replace(VIEW, radius_px=16.0, latitude_deg=22.0, flattening=0.006)
    parts = [Part(film(oriented(v, 25.0, False), 0.01, k), v) for k in range(3) if (v := small.turned(4.9 * k))]
    found = find_orientation(parts, 0.75)
    assert found.north_deg == pytest.approx(25.0, abs=5)
    assert found.agreement > found.agreement_still + 0.03


def test_pictures_without_detail_agree_in_no_direction() -> None:
    noise = np.random.default_rng(0).standard_normal((6, 72, 72)).astype(np.float32)
    found = find_orientation([Part(1 + 0.1 * each, VIEW.turned(2.4 * k)) for k, each in enumerate(noise)])
    assert found.agreement < 0.3
    dark = find_orientation([Part(np.zeros((72, 72), np.float32), VIEW.turned(k)) for k in range(2)])
    assert dark.agreement == 0
