"""The last touches: a border that is the stack's, the stack's light, no negative light."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import window
from tasks.numerics.sky.finish import fade_border, match_flux, without_negative_light

SIZE, BACKGROUND = 64, 8.0
DICE = np.random.default_rng(1)
SKY, STACK = (BACKGROUND + DICE.uniform(0, 100, (SIZE, SIZE)).astype(np.float32) for _ in range(2))
INSIDE = window(SIZE, SIZE, SIZE)


def light(picture: NDArray[np.float32]) -> float:
    """Light above the background."""
    return float((picture.astype(np.float64) - BACKGROUND).sum())


def test_the_border_is_the_stacks_and_the_middle_the_skys() -> None:
    found = fade_border(SKY, STACK, INSIDE, 4.0)
    np.testing.assert_array_equal(found[INSIDE == 0], STACK[INSIDE == 0])
    np.testing.assert_array_equal(found[INSIDE >= 0.25], SKY[INSIDE >= 0.25])
    between = (INSIDE > 0.05) & (INSIDE < 0.2)
    assert between.any()
    assert (np.abs(found - STACK)[between] <= np.abs(SKY - STACK)[between] + 1e-4).all()


def test_a_steeper_fade_is_narrower() -> None:
    kept = [int((fade_border(SKY, STACK, INSIDE, steepness) != SKY).sum()) for steepness in (4.0, 30.0)]
    assert kept[1] < 0.7 * kept[0]


def test_light_becomes_the_stacks() -> None:
    found = match_flux(SKY * 3, STACK, BACKGROUND)
    assert light(found) == pytest.approx(light(STACK), rel=1e-5)
    np.testing.assert_allclose(np.corrcoef(found.ravel(), SKY.ravel())[0, 1], 1, rtol=1e-6)


def test_background_stays_background() -> None:
    sky = SKY.copy()
    sky[:8] = BACKGROUND
    np.testing.assert_allclose(match_flux(sky, 2 * STACK, BACKGROUND)[:8], BACKGROUND, rtol=1e-6)


def test_a_sky_or_stack_without_light_is_left_as_it_is() -> None:
    dark = np.full_like(STACK, BACKGROUND - 1)
    np.testing.assert_allclose(match_flux(SKY, dark, BACKGROUND), SKY, rtol=1e-6)
    np.testing.assert_allclose(match_flux(dark, STACK, BACKGROUND), dark, rtol=1e-6)


def test_negative_light_goes_and_the_sum_stays() -> None:
    sky = SKY - 20
    found = without_negative_light(sky, BACKGROUND)
    assert sky.min() < BACKGROUND
    assert found.min() >= BACKGROUND - 1e-4
    assert light(found) == pytest.approx(light(sky), rel=1e-4)
