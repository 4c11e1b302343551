"""Rotation is undone, and what was not seen has no weight."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.globe.derotation import LIMB_MU, Rings, covered, darkening_of, derotated, weight_of
from tasks.numerics.globe.spheroid import View, coordinates, surface_at

VIEW = View((31.5, 32.5), 24.0, 0.065, 2.5, 0.0, 17.0)


def globe(view: View, darkening: float = 0.0, size: int = 64) -> NDArray[np.float32]:
    """A smooth pattern fixed to the surface, (1, y, x)."""
    y, x = np.indices((size, size), dtype=np.float64)
    surface = surface_at(view, y, x)
    latitude, longitude = coordinates(view, surface.points)
    light = (
        2 + np.sin(np.radians(6 * longitude + 40)) * np.cos(np.radians(5 * latitude)) + np.sin(np.radians(4 * latitude))
    )
    mu = surface.mu.clip(0)
    return np.where(mu > 0, light * mu**darkening, 0.0)[None].astype(np.float32)


def rotation_left(turned: NDArray[np.float32], wanted: View, used: NDArray[np.bool_]) -> float:
    """By how many degrees the pattern still stands off its place."""
    offsets = np.linspace(-3, 3, 121)
    errors = [((globe(wanted.turned(o)) - turned)[0][used] ** 2).mean() for o in offsets]
    best = int(np.argmin(errors))
    low, middle, high = errors[best - 1 : best + 2]
    return float(offsets[best] + 0.025 * (low - high) / (low - 2 * middle + high))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [-12.0, 6.0])
def test_ninety_nine_per_cent_of_a_rotation_is_undone(degrees: float, mirrored: bool) -> None:
    wanted = replace(VIEW, mirrored=mirrored)
    seen = wanted.turned(degrees)
    result = derotated(globe(seen), seen, wanted)
    used = (result.source > 0.99) & (result.target > 0.99)
    assert used.sum() > 500
    assert abs(rotation_left(result.turned, wanted, used)) < 0.01 * abs(degrees)
    truth = globe(wanted)[0]
    assert np.sqrt(((result.turned[0] - truth)[used] ** 2).mean()) < 0.03  # the limb of the test is a hard edge


def test_what_was_behind_the_limb_has_no_weight() -> None:
    seen = VIEW.turned(-40.0)
    result = derotated(globe(seen), seen, VIEW)
    y, x = np.indices((64, 64), dtype=np.float64)
    _, longitude = coordinates(VIEW, surface_at(VIEW, y, x).points)
    newly = (longitude > 55) & (longitude < 180) & (result.target > 0)  # turned into view by 40 degrees since
    assert newly.sum() > 20
    assert (result.source[newly] == 0).all()


def test_beside_the_disc_nothing_moves_and_everything_is_known() -> None:
    picture = globe(VIEW)
    picture[0, 3, 5] = 1.0  # a moon
    result = derotated(picture, VIEW, VIEW.turned(8.0))
    assert result.turned[0, 3, 5] == pytest.approx(1.0, abs=1e-4)
    assert (result.source[result.target == 0] == 1).all()
    assert result.target[3, 5] == 0


def test_a_field_that_turned_shifted_and_shrank_is_brought_back() -> None:
    seen = View((34.0, 29.0), 22.0, 0.065, 2.5, 5.0, 60.0)
    result = derotated(globe(seen), seen, VIEW)
    used = (result.source > 0.99) & (result.target > 0.99)
    assert np.sqrt(((result.turned - globe(VIEW))[0][used] ** 2).mean()) < 0.03


def test_limb_darkening_stays_where_the_limb_is() -> None:
    seen = VIEW.turned(15.0)
    flat = derotated(globe(seen, 0.7), seen, VIEW)
    right = derotated(globe(seen, 0.7), seen, VIEW, darkening=0.7)
    used = (right.source > 0.99) & (right.target > 0.99)
    errors = [np.sqrt(((each.turned - globe(VIEW, 0.7))[0][used] ** 2).mean()) for each in (flat, right)]
    assert errors[1] < 0.2 * errors[0]
    assert darkening_of(globe(VIEW, 0.7)[0], VIEW) == pytest.approx(0.7, abs=0.2)


def test_darkening_of_an_empty_picture_is_none() -> None:
    assert darkening_of(np.zeros((32, 32), np.float32), replace(VIEW, centre_px=(16.0, 16.0), radius_px=10.0)) == 0.0


def test_rings_before_the_disc_do_not_turn() -> None:
    view = replace(VIEW, latitude_deg=20.0, north_deg=0.0)
    rings = Rings(1.24, 2.27)
    y, x = np.indices((64, 64), dtype=np.float64)
    before = covered(view, rings, y, x)
    assert before[45, 32]
    assert not before[20, 32]
    assert not before[31, 32]
    result = derotated(globe(view), view, view.turned(5.0), rings=rings)
    assert (result.target[before] == 0).all()
    assert not covered(replace(view, latitude_deg=0.0), rings, y, x).any()


def test_the_weight_grows_from_the_limb_inwards() -> None:
    np.testing.assert_allclose(weight_of(np.array([-1.0, 0.0, LIMB_MU[0], LIMB_MU[1], 1.0])), [0, 0, 0, 1, 1])
