"""Skies of filters come to lie on each other to 0.1 px, whatever their sizes; luminance changes brightness, not colour."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.finishing.colour_group import placed, with_luminance
from tasks.numerics.fourier.shifts import shift_frames

Image = NDArray[np.float32]


def planet(seed: int = 1, side: int = 96) -> Image:
    """A disc with belts and spots in a dark sky."""
    y, x = np.mgrid[:side, :side] - side / 2
    dice = np.random.default_rng(seed)
    spots = ndimage.gaussian_filter(dice.normal(size=(side, side)), 1.5)
    light = (1 + 0.2 * np.sin(y / 3) + 2 * spots) / (1 + np.exp((np.hypot(y, x) - 0.25 * side) / 0.7))
    return np.asarray(100 * ndimage.gaussian_filter(light, 1.0) + 5, np.float32)


def moved(picture: Image, dy: float, dx: float) -> Image:
    return shift_frames(picture[None, None], np.array([[dy, dx]], np.float32))[0, 0]


def test_parts_of_other_sizes_come_to_lie_on_each_other() -> None:
    sky = planet()
    parts = [moved(sky, 4.3, -6.6)[6:], sky[:, 4:92], moved(0.5 * sky, -7.7, 3.2)[:, :90]]
    found = placed(parts, [], [0.1, 0.1, 0.1], 1, True)
    assert found is not None
    assert found.pictures.shape == (3, *found.pictures.shape[1:])
    expected = np.array([[6 - 4.3, 6.6 - 4], [0, 0], [7.7, -3.2 - 4]])
    assert np.abs(found.offsets - expected).max() < 0.1
    red, green, blue = found.pictures
    assert np.abs(red - green).max() < 0.02 * np.ptp(green)
    assert np.abs(2 * blue - green).max() < 0.02 * np.ptp(green) + 1e-3


def test_what_stands_beside_a_part_moves_with_it() -> None:
    sky = planet()
    parts = [moved(sky, 5.0, 0.0), sky]
    errors = [np.full(sky.shape, 3, np.float32), np.full(sky.shape, 2, np.float32)]
    found = placed(parts, [errors], [1, 1], 1, True)
    assert found is not None
    [beside] = found.beside
    assert beside.shape == found.pictures.shape
    np.testing.assert_allclose(beside.mean(axis=(1, 2)), [3, 2], rtol=1e-4)


def test_a_part_with_wider_pixels_is_brought_to_the_finest_grid() -> None:
    sky = planet(side=128)
    binned = sky.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    found = placed([sky, binned], [], [0.1, 0.2], 0, True)
    assert found is not None
    assert np.abs(found.offsets).max() < 0.6, "half a fine pixel between the grids' corners"
    left = found.pictures[0] - found.pictures[1]
    assert np.sqrt((left**2).mean()) < 0.02 * np.ptp(sky)


def test_without_alignment_the_middles_lie_on_each_other() -> None:
    sky = planet()
    found = placed([moved(sky, 3.0, 0.0), sky[4:92]], [], [1, 1], 1, False)
    assert found is not None
    assert found.offsets.tolist() == [[-4, 0], [0, 0]]


def test_parts_without_a_common_area_are_told() -> None:
    narrow = np.zeros((20, 96), np.float32)
    narrow[8:12] = 1
    tall = np.zeros((96, 17), np.float32)
    assert placed([narrow, tall], [], [1, 1], 0, False) is None


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_luminance_lowers_the_noise_and_keeps_the_colours(noise: float) -> None:
    gains, dice = np.array([1.0, 0.8, 0.4], np.float32)[:, None, None], np.random.default_rng(0)
    truth = gains * planet()
    seen = truth + dice.normal(0, noise, truth.shape).astype(np.float32)
    luminance = 2 * truth.sum(axis=0) + 30
    made = with_luminance(seen, luminance.astype(np.float32))
    before, after = (np.sqrt(((each - truth) ** 2).mean(axis=(1, 2))) for each in (seen, made))
    assert after.mean() < before.mean()
    disc = planet() > 50
    light = made[:, disc].mean(axis=1) - 5 * gains[:, 0, 0]
    np.testing.assert_allclose(light / light[0], gains[:, 0, 0], rtol=0.02)


def test_luminance_shows_what_the_colours_are_too_blurred_for() -> None:
    gains = np.array([1.0, 0.8, 0.4], np.float32)[:, None, None]
    truth = gains * planet()
    blurred = np.stack([ndimage.gaussian_filter(each, 2.0) for each in truth])
    made = with_luminance(blurred, truth.sum(axis=0))
    assert np.abs(made - truth).mean() < 0.5 * np.abs(blurred - truth).mean()
    assert np.isfinite(made).all()
