"""Finer pixels: the same light, in the same place."""

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.finishing.scale import on_coarser_grid, upscaled


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


def test_a_coarser_grid_holds_the_same_smooth_light() -> None:
    """A wave that both grids hold keeps its places and its light; the field stays the same."""
    at = lambda n: (np.arange(n) + 0.5) / n  # noqa: E731
    wave = lambda n: 2 + np.cos(3 * np.pi * at(n))[:, None] * np.cos(7 * np.pi * at(n))[None]  # noqa: E731
    fine = wave(64).astype(np.float32)
    coarse = on_coarser_grid(np.stack([fine, 2 * fine]), 3, 4)
    assert coarse.shape == (2, 48, 48)
    assert coarse[0] == pytest.approx(wave(48), abs=1e-5)
    assert coarse[1] == pytest.approx(2 * coarse[0], abs=1e-5)
    assert on_coarser_grid(fine[:63, :62], 3, 4).shape == (45, 45)
