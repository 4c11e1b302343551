"""White balance scales the colours of pictures for the eye."""

import numpy as np
import pytest

from storage.results.white_balance import G2V_FACTORS, white_balanced


def sky() -> np.ndarray:  # type: ignore[type-arg]
    light = np.zeros((20, 20), np.float32)
    light[5:15, 5:15] = 100
    return np.stack([10 + 2.0 * light, 20 + light, 5 + 0.5 * light]).astype(np.float32)


def test_a_grey_world_is_grey() -> None:
    red, green, blue = white_balanced(sky(), "grey-world")
    np.testing.assert_allclose(red, green, rtol=1e-5)
    np.testing.assert_allclose(blue, green, rtol=1e-5)
    np.testing.assert_allclose(green, sky()[1], rtol=1e-5)


@pytest.mark.parametrize("factors", [G2V_FACTORS, (2.0, 1.0, 3.0)])
def test_factors_scale_the_light_above_the_dark(factors: tuple[float, float, float]) -> None:
    found = white_balanced(sky(), "g2v" if factors == G2V_FACTORS else factors)
    np.testing.assert_allclose(np.ptp(found, axis=(1, 2)), np.array((200, 100, 50)) * factors, rtol=1e-5)


def test_none_and_mono_are_left_alone() -> None:
    assert white_balanced(sky(), "none") is not None
    np.testing.assert_array_equal(white_balanced(sky(), "none"), sky())
    np.testing.assert_array_equal(white_balanced(sky()[:1], "grey-world"), sky()[:1])
