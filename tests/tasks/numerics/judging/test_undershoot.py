"""A dark ring beside a planet is measured; the Moon's shadows are not taken for one."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tasks.numerics.judging.undershoot import above_black, undershoot

Y, X = np.indices((128, 128)) - 64
DISTANCE = np.hypot(Y, X)
STACK = np.float32(10 + 100 * gaussian_filter((DISTANCE < 25).astype(float), 3))


def sky(depth: float) -> NDArray[np.float32]:
    """A sharp planet with a ring around it, `depth` below black."""
    ring = (DISTANCE > 27) & (DISTANCE < 33)
    return np.float32(10 + 100 * (DISTANCE < 25) - 100 * depth * ring)


@pytest.mark.parametrize("depth", [0.05, 0.1])
def test_the_depth_of_a_ring_is_found(depth: float) -> None:
    assert undershoot(sky(depth), STACK) == pytest.approx(depth, rel=0.1)


def test_a_clean_sky_has_none() -> None:
    assert undershoot(sky(0.0), STACK) == pytest.approx(0, abs=0.002)


def test_a_field_without_black_cannot_be_tested() -> None:
    field = np.float32(50 + 10 * np.random.default_rng(1).normal(size=(128, 128)))
    assert undershoot(field - 30, field) is None


def test_a_stack_darker_than_its_dark_level_cannot_be_compared() -> None:
    shadow = STACK - np.float32(20) * (np.hypot(Y - 50, X) < 4)
    assert undershoot(sky(0.1), shadow) is None


def test_an_empty_picture_has_no_answer() -> None:
    flat = np.full((32, 32), 7, np.float32)
    assert undershoot(flat, flat) is None


def test_what_is_darker_than_black_is_taken_off_and_the_light_kept() -> None:
    ringing, dark = sky(0.1), np.percentile(STACK, 1)
    clean = above_black(ringing, STACK, 0.03)
    assert clean.min() >= dark - 1e-3
    assert float((clean - dark).sum()) == pytest.approx(float((ringing - dark).sum()), rel=1e-4)
    np.testing.assert_array_equal(above_black(sky(0.02), STACK, 0.03), sky(0.02))
