"""Codes of 16 bits give whole numbers back exactly and anything else to far below the noise."""

import numpy as np

from tasks.numerics.frames.compact import compacted, expanded


def test_what_a_camera_writes_comes_back_exactly() -> None:
    rng = np.random.default_rng(1)
    for top in (255, 4095, 65535):
        light = rng.integers(0, top + 1, (3, 2, 9, 8)).astype(np.float32)
        np.testing.assert_array_equal(expanded(*compacted(light)), light)


def test_rounding_is_below_one_part_in_sixty_thousand_of_the_range() -> None:
    rng = np.random.default_rng(2)
    light = rng.normal(0, [[[[1.0]], [[50.0]]]], (4, 2, 30, 30)).astype(np.float32)
    codes, level, step = compacted(light)
    assert codes.dtype == np.uint16
    error = np.abs(expanded(codes, level, step) - light).max(axis=(-2, -1))
    assert (error <= 0.51 * step).all()
    assert (step <= 2.1 * (np.ptp(light, axis=(-2, -1)) + 1) / 65535).all()


def test_a_constant_plane_stays_what_it_is() -> None:
    light = np.full((1, 1, 4, 4), 7, np.float32)
    np.testing.assert_array_equal(expanded(*compacted(light)), light)
