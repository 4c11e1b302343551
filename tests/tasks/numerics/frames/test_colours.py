"""Colours that the atmosphere has moved are laid on each other."""

import numpy as np
from scipy.ndimage import gaussian_filter

from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.frames.colours import colour_offsets, laid_on_each_other, luma_limits


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


def moved_chroma(moves: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """A disc with belts whose coarse part has moved in each colour, and luma's fine detail, which has not."""
    y, x = np.indices((96, 96)) - 48.0
    fine = np.random.default_rng(1).normal(size=(96, 96))
    fine = gaussian_filter(fine, 1.0) - gaussian_filter(fine, 2.0)
    disc = 1 / (1 + np.exp((np.hypot(y, x) - 28) / 3))
    coarse = gaussian_filter(disc * (1 + 0.3 * np.sin(0.3 * y + 0.1 * x)), 2)
    planes = shift_frames(np.stack([900 * coarse, 600 * coarse, 300 * coarse]).astype(np.float32)[:, None], moves)[:, 0]
    return np.asarray(planes + 600 * (fine * disc).astype(np.float32))


def test_luma_stays_where_it_is_when_chroma_is_moved() -> None:
    moves = np.array([[2.6, -0.4], [0, 0], [-3.1, 0.8]], np.float32)
    colours = moved_chroma(moves)
    offsets = colour_offsets(colours, 1, compressed=True)
    limits = luma_limits(colours, 1, offsets)
    assert np.isinf(limits[1])
    assert (limits[[0, 2]] > 0.03).all()
    assert (limits[[0, 2]] < 0.2).all()
    whole, coarse = (laid_on_each_other(colours, offsets, each) for each in (None, limits))
    wanted = moved_chroma(np.zeros_like(moves))
    for channel in (0, 2):
        off = [np.std((found - wanted)[channel, 16:80, 16:80]) for found in (whole, coarse)]
        assert off[1] < 0.5 * off[0]


def test_where_colours_lie_on_each_other_there_is_no_limit() -> None:
    light = np.stack([planet(), 0.5 * planet()])
    assert np.isinf(luma_limits(light, 0, np.zeros((2, 2), np.float32))).all()


def test_a_lattice_on_a_large_dark_sky_does_not_lead_the_edges_astray() -> None:
    """A small target, 1 % of the picture, between the blocks of a coder that stand still."""
    target, moves = planet(), np.array([[0.4, -0.6], [0, 0], [-0.5, 0.3]], np.float32)
    frame = np.zeros((3, 320, 480), np.float32)
    frame[:, 100:180, 200:296] = shift_frames(np.stack([900 * target, 500 * target, 400 * target])[:, None], moves)[
        :, 0
    ]
    blocks = np.random.default_rng(2).normal(size=(3, 40, 60))
    frame += 6 * np.kron(blocks, np.ones((8, 8))).astype(np.float32)
    assert np.abs(colour_offsets(frame, 1, compressed=True) + moves).max() < 0.3
