"""Invented stars are found, sharpened ones are not taken for invented."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.finishing.point_sources import new_sources


def field(places: list[tuple[int, int]], width: float) -> NDArray[np.float32]:
    image = np.zeros((64, 64))
    for place in places:
        image[place] = 2 * np.pi * width**2
    return np.asarray(ndimage.gaussian_filter(image, width), np.float32)


PLACES = [(12, 14), (30, 40), (50, 20)]


def test_sharper_stars_are_the_same_stars() -> None:
    assert new_sources(field(PLACES, 2.0), np.zeros((64, 64), np.float32), 0.01) == 3
    assert new_sources(field(PLACES, 1.0), field(PLACES, 2.0), 0.01) == 0


def test_a_star_that_was_not_there_is_found() -> None:
    assert new_sources(field([*PLACES, (20, 55)], 1.0), field(PLACES, 2.0), 0.01) == 1


def test_noise_is_no_star() -> None:
    noise = np.random.default_rng(2).normal(0, 0.01, (64, 64)).astype(np.float32)
    assert new_sources(field(PLACES, 2.0) + noise, field(PLACES, 2.0), 0.01) == 0
