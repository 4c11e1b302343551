"""Colours that the atmosphere has moved are laid on each other."""

import numpy as np
from scipy.ndimage import gaussian_filter

from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.frames.colours import colour_offsets, laid_on_each_other


def planet() -> np.ndarray:  # type: ignore[type-arg]
    y, x = np.indices((80, 96)) - np.array([40, 48])[:, None, None]
    disc = 1 / (1 + np.exp(np.hypot(y, x) - 25.0))
    return np.asarray(disc * (1 + 0.3 * np.sin(0.7 * y) + 0.2 * np.cos(0.5 * x + 0.2 * y)), np.float32)


def test_offsets_are_found_and_undone() -> None:
    light, moves = planet(), np.array([[1.6, -0.4], [0, 0], [-2.3, 0.8]], np.float32)
    colours = np.stack([900 * light, 500 * light + 20, 200 * light**1.3])
    moved = shift_frames(colours[:, None], moves)[:, 0]
    offsets = colour_offsets(moved, 1)
    assert np.abs(offsets + moves).max() < 0.05
    again = laid_on_each_other(moved, offsets)
    assert np.abs(colour_offsets(again, 1)).max() < 0.05
    np.testing.assert_array_equal(again[1], moved[1])


def test_one_colour_stays_where_it_is() -> None:
    light = planet()[None]
    np.testing.assert_array_equal(laid_on_each_other(light, colour_offsets(light, 0)), light)


def test_shared_fine_detail_does_not_hold_compressed_colours_back() -> None:
    """Half-resolution chroma: what is fine is luma's and stands still, what is coarse has moved."""
    y, x = np.indices((80, 96)) - np.array([40, 48])[:, None, None]
    disc = 1 / (1 + np.exp(np.hypot(y, x) - 25.0))
    belts, fine = 0.3 * np.sin(0.35 * y) + 0.2 * np.cos(0.25 * x + 0.1 * y), 0.1 * np.sin(1.3 * x + 0.9 * y)
    light, moves = disc * (1 + belts + fine), np.array([[1.6, -0.4], [0, 0], [-1.3, 0.6]], np.float32)
    moved = shift_frames(np.stack([900 * light, 500 * light, 400 * light]).astype(np.float32)[:, None], moves)[:, 0]
    luma = moved.mean(axis=0)
    colours = np.asarray(gaussian_filter(moved, (0, 1, 1)) + luma - gaussian_filter(luma, 1), np.float32)
    plain, edges = (np.abs(colour_offsets(colours, 1, compressed) + moves).max() for compressed in (False, True))
    assert plain > 0.5
    assert edges < 0.2
