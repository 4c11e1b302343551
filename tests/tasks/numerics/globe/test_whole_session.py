"""A session from measured discs to one sky."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.globe.derotation import Rings, covered
from tasks.numerics.globe.session import SkyPart
from tasks.numerics.globe.spheroid import View, grid, surface_at
from tasks.numerics.globe.whole_session import Aspect, session_sky, views_of
from tasks.numerics.simulator.globes import globe
from tests.tasks.numerics.globe.conftest import Film, Image

MIDDLE = Aspect(100.0, 3.0, 0.0, 0.0)


def aspects(count: int, degrees: float, field_deg: float = 0.0) -> list[Aspect]:
    along = np.linspace(-0.5, 0.5, count)
    return [Aspect(100.0 + degrees * a, 3.0, field_deg * a, 0.0) for a in along]


def parts_of(film: Film, told: Sequence[Aspect], north_deg: float, noise: float = 0.02) -> list[SkyPart]:
    """Pictures of a session whose discs were measured 0.2 px off."""
    discs = [(36.0 + 0.2 * (-1) ** k, 35.0, 54.0) for k in range(len(told))]
    blank: list[Image] = [np.zeros((72, 72), np.float32)] * len(told)
    views = views_of(blank, discs, told, 0.065)
    assert views is not None
    parts = []
    for k, view in enumerate(views):
        true = replace(view, centre_px=(36.0, 35.0), north_deg=north_deg + view.north_deg)
        picture = film(true, noise, k)[None]
        known, sigma = np.full((1, 37), 0.998), np.full((1, 37), 0.05)
        parts.append(SkyPart(picture, picture, np.full_like(picture, noise), view, known, sigma))
    return parts


def loss(picture: Image, truth: Image) -> float:
    return float(np.sqrt(((picture - truth) ** 2).mean()))


@pytest.mark.parametrize("field_deg", [0.0, 25.0])
def test_a_session_whose_north_nobody_knows_becomes_one_sky(film: Film, field_deg: float) -> None:
    parts = parts_of(film, aspects(6, 12.0, field_deg), 140.0)
    made = session_sky([parts], MIDDLE)
    assert made.view is not None
    assert made.orientation is not None
    assert (made.view.north_deg - 140 + 180) % 360 - 180 == pytest.approx(0, abs=6)
    truth = film(replace(made.view, centre_px=(36.0, 35.0), north_deg=140.0), 0.0, 0)
    nearest = min(loss(p.picture[0], truth) for p in parts)
    assert loss(made.skies[0].picture[0], truth) < 0.75 * nearest


def test_north_that_is_given_is_taken(film: Film) -> None:
    made = session_sky([parts_of(film, aspects(2, 12.0), 140.0)], MIDDLE, given=(140.0, False))
    assert made.orientation is None
    assert made.view is not None
    assert made.view.north_deg == 140.0


def test_noise_makes_no_session_and_says_what_would_help() -> None:
    told = aspects(4, 12.0)
    rng = np.random.default_rng(1)
    pictures = [(1 + rng.standard_normal((72, 72))).astype(np.float32) for _ in told]
    views = views_of(pictures, [(36.0, 36.0, 54.0)] * 4, told, 0.065)
    assert views is not None
    parts = [
        SkyPart(p[None], p[None], np.ones_like(p[None]), v, np.full((1, 37), 0.998), np.full((1, 37), 0.05))
        for p, v in zip(pictures, views, strict=True)
    ]
    made = session_sky([parts], MIDDLE)
    assert made.why_not == "" or "north_deg" in made.why_not
    assert made.orientation is not None
    assert made.orientation.agreement < 0.1


def test_a_session_too_short_to_show_rotation_is_averaged_as_it_stands(film: Film) -> None:
    parts = parts_of(film, aspects(4, 0.3), 140.0)
    made = session_sky([parts], MIDDLE)
    assert made.orientation is None
    assert made.why_not == ""
    assert loss(made.skies[0].picture[0], parts[0].picture[0]) < 0.03


def test_filters_become_skies_of_one_moment(film: Film) -> None:
    parts = parts_of(film, aspects(6, 12.0), 140.0)
    made = session_sky([parts[0::2], parts[1::2]], MIDDLE, given=(140.0, False))
    assert len(made.skies) == 2
    assert loss(made.skies[0].picture[0], made.skies[1].picture[0]) < 0.04


def test_the_scale_tells_the_size_where_it_agrees_with_the_limb() -> None:
    blank = [np.zeros((72, 72), np.float32)] * 2
    told = [replace(MIDDLE, diameter_px=54.0)] * 2
    limb = views_of(blank, [(36.0, 36.0, 55.0)] * 2, told, 0.065)
    other = views_of(blank, [(36.0, 36.0, 40.0)] * 2, told, 0.065)
    assert limb is not None
    assert other is not None
    assert (limb[0].radius_px, other[0].radius_px) == (27.0, 20.0)
    assert views_of(blank, [None, None], [MIDDLE] * 2, 0.065) is None


def test_without_a_limb_the_middle_is_that_of_the_light() -> None:
    picture = np.zeros((72, 72), np.float32)
    picture[20:40, 30:60] = 1.0
    views = views_of([picture], [None], [replace(MIDDLE, diameter_px=30.0)], 0.098)
    assert views is not None
    np.testing.assert_allclose(views[0].centre_px, (29.5, 44.5), atol=0.1)


@pytest.mark.parametrize("field_deg", [0.0, 20.0])
def test_rings_stay_while_the_globe_between_them_turns(surface: NDArray[np.float64], field_deg: float) -> None:
    rings, told = (
        Rings(1.11, 2.27),
        [replace(a, latitude_deg=-22.0, diameter_px=30.0) for a in aspects(3, 30.0, field_deg)],
    )
    middle, parts, truths = replace(MIDDLE, latitude_deg=-22.0), [], []
    for k, each in enumerate(told):
        true = View((40.0, 41.0), 15.0, 0.098, -22.0, each.meridian_deg, 30.0 + each.field_deg)
        truths.append(ndimage.gaussian_filter(globe(surface, true, 80, rings), 0.8))
        rng = np.random.default_rng(k)
        picture = (truths[-1] + 0.02 * rng.standard_normal(truths[-1].shape)).astype(np.float32)
        (view,) = views_of([picture], [None], [each], 0.098) or []
        known, sigma = np.full((1, 41), 0.998), np.full((1, 41), 0.05)
        parts.append(SkyPart(picture[None], picture[None], np.full_like(picture[None], 0.02), view, known, sigma))
    made = session_sky([parts], middle, rings, (30.0, False))
    left = made.skies[0].picture[0] - truths[1]
    y, x = grid(left.shape)
    view = View((40.0, 41.0), 15.0, 0.098, -22.0, 100.0, 30.0)
    crossed = covered(view, rings, y, x) & (surface_at(view, y, x).mu > 0)
    assert float(np.sqrt((left[crossed] ** 2).mean())) < 0.012, "turned with the globe, the rings would be 0.017 off"
    assert loss(made.skies[0].picture[0], truths[1]) < 0.5 * loss(parts[1].picture[0], truths[1])
