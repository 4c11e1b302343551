"""Light as the nets take it: 0 to 1 or unit contrast, and back."""

import numpy as np
import pytest

from tasks.numerics.networks.light import contrast, light_range

PICTURE = 4000 * np.random.default_rng(0).random((20, 30), dtype=np.float32) + 200


def test_the_darkest_is_zero_and_the_brightest_one() -> None:
    given = light_range(PICTURE).of(PICTURE)
    assert (given.min(), given.max()) == (0, pytest.approx(1))


def test_contrast_is_one() -> None:
    given = contrast(PICTURE).of(PICTURE)
    assert given.mean() == pytest.approx(0, abs=1e-4)
    assert given.std() == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("light", [light_range(PICTURE), contrast(PICTURE)])
def test_there_and_back(light) -> None:
    assert np.allclose(light.back(light.of(PICTURE)), PICTURE, rtol=1e-5)


def test_a_flat_picture_is_no_division_by_zero() -> None:
    flat = np.full((4, 4), 7, np.float32)
    assert np.isfinite(light_range(flat).of(flat)).all()
    assert np.isfinite(contrast(flat).of(flat)).all()
