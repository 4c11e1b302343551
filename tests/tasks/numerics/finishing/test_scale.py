"""Finer pixels: the same light, in the same place."""

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.finishing.scale import upscaled


@pytest.mark.parametrize("scale", [2, 4])
def test_light_and_place_are_kept(scale: int) -> None:
    point = np.zeros((31, 37), np.float32)
    point[12, 20] = 1
    picture = np.asarray(ndimage.gaussian_filter(point, 1.5), np.float32)
    fine = upscaled(picture, scale)
    assert fine.shape == (31 * scale, 37 * scale)
    assert fine.mean() == pytest.approx(picture.mean(), rel=1e-3)
    centre = np.array(ndimage.center_of_mass(np.clip(fine, 0, None))) + 0.5
    assert centre / scale == pytest.approx(np.array([12.5, 20.5]), abs=0.05)


def test_scale_one_is_the_picture() -> None:
    picture = np.random.default_rng(1).normal(size=(17, 19)).astype(np.float32)
    assert upscaled(picture, 1) is picture
