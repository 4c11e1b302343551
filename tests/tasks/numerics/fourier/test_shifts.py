"""Shifted frames: all-pass, exact on band-limited scenes, with a mask of the filled border."""

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.fourier.shifts import best_shift, covered, move_whole, phase_ramp, shift_frames, split


@pytest.fixture
def blob():
    y, x = np.mgrid[:48, :56]

    def draw(cy, cx):
        return np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18).astype(np.float32)

    return draw


def test_a_shift_has_the_right_sign_and_size(blob):
    moved = shift_frames(blob(20, 30)[None, None], np.array([[2.3, -4.6]], np.float32))
    assert np.abs(moved[0, 0] - blob(22.3, 25.4)).max() < 2e-3


def test_half_a_pixel_does_not_smooth_noise():
    noise = np.random.default_rng(0).normal(size=(1, 1, 64, 64)).astype(np.float32)
    moved = shift_frames(noise, np.array([[0.5, 0.5]], np.float32))
    spline = ndimage.shift(noise[0, 0], (0.5, 0.5), order=1, mode="mirror")
    assert moved.std() == pytest.approx(1, abs=0.03)
    assert spline.std() < 0.6


def test_there_and_back_is_the_same(blob):
    frame = blob(24, 28)[None, None]
    there = shift_frames(frame, np.array([[1.7, -0.4]], np.float32))
    assert np.abs(shift_frames(there, np.array([[-1.7, 0.4]], np.float32)) - frame).max() < 2e-3


def test_split_leaves_at_most_half_a_pixel():
    shifts = np.random.default_rng(1).normal(0, 9, (50, 2)).astype(np.float32)
    whole, rest = split(shifts)
    assert np.abs(rest).max() <= 0.5
    assert np.allclose(whole + rest, shifts, atol=1e-5)


def test_whole_pixels_are_copied_not_computed(blob):
    frame = np.random.default_rng(2).normal(size=(1, 2, 20, 30)).astype(np.float32)
    moved = move_whole(frame, np.array([[3, -5]]))
    assert np.array_equal(moved[0, :, 3:, :-5], frame[0, :, :-3, 5:])
    assert np.isfinite(move_whole(frame, np.array([[90, -70]]))).all()


def test_covered_masks_the_filled_border():
    seen = covered((10, 12), np.array([[2.0, -3.0], [0.0, 0.0], [40.0, 0.0]], np.float32))
    assert seen[0].sum() == 8 * 9
    assert not seen[0, :2].any()
    assert not seen[0, :, -3:].any()
    assert seen[1].all()
    assert not seen[2].any()


@pytest.mark.parametrize("move", [(0.0, 0.0), (0.37, -0.12), (-7.85, 11.4)])
def test_the_move_between_two_pictures_is_found(move):
    sky = np.fft.rfft2(np.random.default_rng(0).normal(size=(48, 48))).astype(np.complex64)
    moved = sky * phase_ramp((48, 48), np.array(move, np.float32))
    _, dy, dx = best_shift(moved * sky.conj(), 48)
    assert (dy, dx) == pytest.approx(move, abs=0.02)
