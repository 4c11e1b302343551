"""A planet's disc is measured on its long axis to a few per cent, and nothing else is taken for one."""

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.judging.disc import disc_diameter_px, disc_of
from tasks.numerics.simulator.targets import moon, planet, stars


def ellipse(radius: float, flat: float, turn: float, blur: float = 1.0) -> np.ndarray:
    y, x = np.indices((96, 96)) - np.array([49.3, 46.2])[:, None, None]
    along, across = x * np.cos(turn) + y * np.sin(turn), (y * np.cos(turn) - x * np.sin(turn)) / flat
    mu = np.sqrt(np.clip(1 - (along**2 + across**2) / radius**2, 0, 1))
    return ndimage.gaussian_filter(100 * mu**0.4, blur) + np.random.default_rng(0).normal(3, 0.5, (96, 96))


@pytest.mark.parametrize(("flat", "turn"), [(1.0, 0.0), (0.935, 0.4), (0.935, 1.6)])
def test_the_long_axis_is_found_to_two_per_cent(flat: float, turn: float) -> None:
    assert disc_diameter_px(ellipse(24, flat, turn)) == pytest.approx(48, rel=0.025)


def test_spots_moons_and_shadows_do_not_change_it() -> None:
    sky = planet(256, np.random.default_rng(3))
    assert disc_diameter_px(100 * sky) == pytest.approx(64, rel=0.03)


def test_what_is_no_whole_disc_is_not_measured() -> None:
    assert disc_diameter_px(np.zeros((40, 40))) is None
    assert disc_diameter_px(np.roll(ellipse(24, 1, 0), 40, axis=1)) is None, "cut by the frame"
    assert disc_diameter_px(ellipse(5, 1, 0)) is None, "too small"
    assert disc_diameter_px(moon(96, np.random.default_rng(1))) is None
    assert disc_diameter_px(stars(96, np.random.default_rng(1))) is None
    assert disc_diameter_px(ellipse(30, 0.5, 0.3)) is None, "a phase, or rings"


def test_the_middle_of_the_disc_is_found_to_a_tenth_of_a_pixel() -> None:
    y, x = np.indices((96, 96), dtype=np.float64)
    distance = np.hypot((y - 44.3) / 0.94, x - 51.8)
    found = disc_of(1 / (1 + np.exp(2 * (distance - 24))))
    assert found is not None
    np.testing.assert_allclose(found.centre_px, (44.3, 51.8), atol=0.1)
    assert found.diameter_px == pytest.approx(48, rel=0.01)
