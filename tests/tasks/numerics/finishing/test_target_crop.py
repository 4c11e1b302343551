"""The square around a target."""

import numpy as np

from tasks.numerics.finishing.target_crop import square_around


def disc(y0: float, x0: float, radius: float) -> np.ndarray:
    y, x = np.mgrid[:100, :120]
    light = 500 * (np.hypot(y - y0, x - x0) < radius) + np.random.default_rng(1).normal(0, 5, (100, 120))
    return light.astype(np.float32)


def test_the_target_stands_in_the_middle() -> None:
    box = square_around(disc(45, 70, 15))
    assert box is not None
    assert abs(box.top + box.side / 2 - 45.5) <= 1
    assert abs(box.left + box.side / 2 - 70.5) <= 1
    assert 40 <= box.side <= 55


def test_near_the_edge_the_target_stays_whole() -> None:
    picture = disc(18, 100, 15)
    box = square_around(picture)
    assert box is not None
    assert (box.of(picture) > 250).sum() == (picture > 250).sum()


def test_what_fills_the_frame_or_is_dark_is_not_cropped() -> None:
    assert square_around(disc(50, 60, 200)) is None
    assert square_around(np.zeros((40, 40), np.float32)) is None
