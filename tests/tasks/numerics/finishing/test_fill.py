"""Holes are filled better with a reference than without, and nothing outside them changes."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.finishing.fill import filled_classically
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]


def spoiled(family: str) -> tuple[Image, Image, Image, NDArray[np.bool_]]:
    """(frame, its truth, reference, mask): single pixels, a column, and blocks of 3 to 9 px are missing."""
    rng = np.random.default_rng(3)
    sky = TARGETS[family](96, np.random.default_rng(7))
    clean, reference = (np.asarray(ndimage.gaussian_filter(sky, s), np.float32) for s in (1.5, 2.2))
    frame = clean + rng.normal(0, 0.01, sky.shape).astype(np.float32)
    mask = rng.random(sky.shape) < 0.01
    mask[:, 40] = True
    for width in (3, 6, 9):
        for row, column in rng.integers(20, 70, (2, 2)):
            mask[row : row + width, column : column + width] = True
    return np.where(mask, np.float32(0), frame), clean, reference, mask


def decibel(picture: Image, clean: Image, mask: NDArray[np.bool_]) -> float:
    return float(-10 * np.log10(np.mean((picture - clean)[mask] ** 2)))


@pytest.mark.parametrize("family", ["planet", "moon", "sun", "satellite"])
def test_a_reference_is_worth_a_decibel(family: str) -> None:
    frame, clean, reference, mask = spoiled(family)
    plain = decibel(filled_classically(frame, mask), clean, mask)
    assert decibel(filled_classically(frame, mask, reference), clean, mask) > plain + 1


@pytest.mark.parametrize("known", [True, False])
def test_outside_the_mask_nothing_changes(known: bool) -> None:
    frame, _, reference, mask = spoiled("moon")
    out = filled_classically(frame, mask, reference if known else None)
    assert out[~mask].tobytes() == frame[~mask].tobytes()
    assert np.isfinite(out).all()


def test_what_stands_in_the_holes_does_not_matter() -> None:
    frame, _, reference, mask = spoiled("moon")
    other = np.where(mask, np.float32(np.nan), frame)
    assert np.array_equal(filled_classically(other, mask, reference), filled_classically(frame, mask, reference))
    assert np.array_equal(filled_classically(other, mask), filled_classically(frame, mask))


def test_no_hole_and_nothing_but_a_hole() -> None:
    frame = np.ones((20, 30), np.float32)
    assert filled_classically(frame, np.zeros(frame.shape, bool)) is frame
    assert filled_classically(frame, np.ones(frame.shape, bool)) is frame


def test_a_flat_frame_stays_flat() -> None:
    frame, mask = np.full((30, 30), 7.0, np.float32), np.zeros((30, 30), bool)
    mask[10:15, 10:15] = True
    assert np.allclose(filled_classically(np.where(mask, 0, frame).astype(np.float32), mask), 7.0)
