"""Alignment finds true motion of discs, fields and speckles, and says which frames cannot be aligned."""

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.frames.registration import register, sample_size, usable

N = 96


def scene(kind, seed=0, size=240):
    """A band-limited sky on a canvas larger than the frame."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - size / 2
    if kind == "field":
        sky = (
            ndimage.gaussian_filter(rng.normal(size=(size, size)), 3) * 30
            + ndimage.gaussian_filter(rng.normal(size=(size, size)), 12) * 100
            + 60
        )
    elif kind == "planet":
        sky = 100.0 * (np.hypot(y, x * 1.1) < 18) * (1 + 0.2 * np.sin(y / 3))
    else:  # a double star
        sky = np.zeros((size, size))
        sky[size // 2, size // 2], sky[size // 2 + 5, size // 2 + 7] = 6000, 4000
    return ndimage.gaussian_filter(sky, 1.5)


def film(sky, shifts, noise=1.0, seed=3):
    rng = np.random.default_rng(seed)
    low = (sky.shape[0] - N) // 2
    frames = [ndimage.shift(sky, s, order=3)[low : low + N, low : low + N] for s in shifts]
    return (np.stack(frames) + rng.normal(0, noise, (len(frames), N, N)))[:, None].astype(np.float32)


def walk(count, drift, seed=5):
    rng = np.random.default_rng(seed)
    return np.linspace(0, 1, count)[:, None] * np.array(drift) + rng.normal(0, 2, (count, 2))


def passes(frames, size=7):
    return lambda: (frames[k : k + size] for k in range(0, len(frames), size))


def registered(frames, size=7):
    drawn = np.random.default_rng(0).permutation(len(frames))[: sample_size(frames.shape[-2:])]
    return register(passes(frames, size), (frames[k : k + 1] for k in drawn))


def error(found, true, ok):
    gap = (found - true)[ok]
    return float(np.sqrt(((gap - gap.mean(axis=0)) ** 2).mean()))


@pytest.mark.parametrize("kind", ["field", "planet", "stars"])
def test_true_motion_is_found_to_a_tenth_of_a_pixel(kind):
    true = walk(30, (22, -14))
    found = registered(film(scene(kind), true))
    assert found.ok.all()
    assert error(found.shifts, true, found.ok) < 0.1
    assert found.residuals[-1] < 0.02


def test_sign_and_origin_follow_the_convention():
    true = np.array([[0, 0], [3, -2], [3, -2], [1, 1]], float)
    found = registered(film(scene("planet"), true))
    assert np.allclose(found.shifts, true - np.median(true, axis=0), atol=0.1)


def test_a_field_is_not_pulled_towards_zero_by_the_window():
    true = np.linspace(-1, 1, 24)[:, None] * np.array([[25.0, 18.0]])
    found = registered(film(scene("field"), true))
    slope = np.polyfit(true[:, 0], found.shifts[:, 0], 1)[0]
    assert slope == pytest.approx(1, abs=0.01)


def test_faint_frames_are_still_aligned():
    true = walk(60, (4, 4))
    found = registered(film(scene("planet"), true, noise=60))
    assert error(found.shifts, true, found.ok) < 0.7


def test_black_and_streaked_frames_are_flagged_and_do_not_matter():
    true = walk(30, (10, 5))
    frames = film(scene("planet"), true)
    frames[0] = np.random.default_rng(1).normal(0, 1, frames[0].shape)
    frames[11] = 0
    rows = np.arange(N)
    for width in range(3):
        frames[17, 0, rows, np.clip(rows + width, 0, N - 1)] += 400
    found = registered(frames)
    assert np.nonzero(~found.ok)[0].tolist() == [0, 11, 17]
    assert error(found.shifts, true, found.ok) < 0.1
    assert np.allclose(np.median(found.shifts[found.ok], axis=0), 0, atol=1e-5)  # in the middle of its drift


def test_how_the_frames_are_cut_into_blocks_does_not_matter():
    frames = film(scene("field"), walk(20, (6, 2)))
    one, other = registered(frames, 20), registered(frames, 3)
    assert np.abs(one.shifts - other.shifts).max() < 0.03


def test_no_frames_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="0 frames"):
        register(lambda: iter(()), iter(()))


def test_a_constant_capture_aligns_nothing_and_does_not_crash():
    found = registered(np.full((5, 1, 64, 64), 7, np.float32))
    assert np.isfinite(found.shifts).all()
    assert not found.ok.any()


def test_usable_keeps_a_tail_of_bad_weather():
    peaks = np.concatenate([np.linspace(0.99, 0.995, 60), np.linspace(0.95, 0.99, 40), [0.5]]).astype(np.float32)
    assert usable(peaks)[:100].all()
    assert not usable(peaks)[100]


def test_few_passes_over_many_frames_suffice():
    frames = np.repeat(film(scene("planet"), walk(15, (4, 4))), 10, axis=0)
    assert registered(frames, 16).rounds <= 4
