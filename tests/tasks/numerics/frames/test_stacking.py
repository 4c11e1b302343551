"""Averages of registered frames: each pixel over the frames that cover it, each frame judged beside the others."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.fourier.sampling import FULL, bayer_samplings
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.frames.stacking import (
    average_colours,
    by_phase,
    draw_heldout,
    placed,
    relative_light,
    score_frames,
    shift_average,
)

Image = NDArray[np.float32]
COUNT, SIZE = 12, 48
SAMPLINGS = bayer_samplings("BGGR")
GAINS = (3.0, 2.0, 1.0)


def blocks(frames: Image, numbers: NDArray[np.int64], size: int) -> Iterator[tuple[NDArray[np.int64], Image]]:
    """The named frames, so many at a time."""
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        yield part, frames[part]


@pytest.fixture
def sky() -> Image:
    """(channel, y, x) a spotted field in two colours, without light at the border."""
    dice = np.random.default_rng(3)
    spots = np.zeros((SIZE, SIZE))
    spots[14:-14, 14:-14] = dice.uniform(0, 1, (SIZE - 28, SIZE - 28)) > 0.9
    light = ndimage.gaussian_filter(spots, 1.5)
    return (10 + 1000 * np.stack([light, 0.5 * light])).astype(np.float32)


@pytest.fixture
def shifts() -> Image:
    """(frame, 2) a drift."""
    return np.random.default_rng(4).uniform(-5, 5, (COUNT, 2)).astype(np.float32)


@pytest.fixture
def frames(sky: Image, shifts: Image) -> Image:
    """(frame, channel, y, x) the sky where each frame shows it."""
    return shift_frames(np.repeat(sky[None], COUNT, axis=0), shifts)


def test_the_mean_of_registered_frames_is_the_sky(sky: Image, frames: Image, shifts: Image) -> None:
    found = shift_average(blocks(frames, np.arange(COUNT), 5), shifts)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 8:-8, 8:-8], sky[:, 8:-8, 8:-8], atol=0.5)


def test_blocks_do_not_change_the_mean(frames: Image, shifts: Image) -> None:
    one, other = (shift_average(blocks(frames, np.arange(COUNT), size), shifts) for size in (1, COUNT))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_frames_moved_together_make_the_same_mean(sky: Image) -> None:
    """Many frames whose shifts have about the same fraction of a pixel are moved at once: against each by itself."""
    count = 300
    shifts = np.random.default_rng(6).uniform(-3, 3, (count, 2)).astype(np.float32)
    frames = shift_frames(np.repeat(sky[None], count, axis=0), shifts)
    alone = shift_frames(frames, -shifts).mean(0)
    numbers = by_phase(np.arange(count), shifts)
    assert sorted(numbers) == list(range(count))
    found = shift_average(blocks(frames, numbers, 32), shifts)
    np.testing.assert_allclose(found[:, 4:-4, 4:-4], alone[:, 4:-4, 4:-4], atol=0.005 * np.ptp(sky))
    np.testing.assert_allclose(found[:, 4:-4, 4:-4], sky[:, 4:-4, 4:-4], atol=0.005 * np.ptp(sky))


@pytest.mark.parametrize("most", [5, 40])
def test_frames_are_placed_to_the_pixel_between_mirror_images(sky: Image, most: int) -> None:
    shifts = np.random.default_rng(7).uniform(-most, most, (6, 2)).astype(np.float32)
    frames = np.repeat(sky[None], 6, axis=0)
    whole = np.rint(shifts)
    np.testing.assert_allclose(placed(frames, shifts), shift_frames(frames, -whole), atol=0.01)


def test_a_pixel_is_the_mean_of_the_frames_that_cover_it() -> None:
    """Of two frames, the second moved by ten rows: its ten rows count once, and no mirror image is seen."""
    frames = np.full((2, 1, 32, 32), 5, np.float32)
    frames[1] = 7
    shifts = np.array([[0, 0], [10, 0]], np.float32)
    found = shift_average([(np.arange(2), frames)], shifts)[0]
    np.testing.assert_allclose(found[:22], 6, rtol=1e-5)
    np.testing.assert_allclose(found[22:], 5, rtol=1e-5)


def test_what_no_frame_covers_is_the_median(sky: Image) -> None:
    shifts = np.full((1, 2), (10.0, 0.0), np.float32)
    found = shift_average([(np.arange(1), shift_frames(sky[None], shifts))], shifts)
    assert np.isfinite(found).all()
    for plane in found:
        assert len(np.unique(plane[SIZE - 10 :])) == 1
        assert plane[-1, 0] == pytest.approx(10, abs=5), "the dark sky, nothing that looks like detail"


def test_scores_tell_blurred_streaked_and_clouded_frames(sky: Image, frames: Image, shifts: Image) -> None:
    frames = frames + np.random.default_rng(5).normal(0, 0.1, frames.shape).astype(np.float32)
    frames[2] = ndimage.gaussian_filter(frames[2], (0, 2, 2))
    frames[6] = 10 + 0.6 * (frames[6] - 10)
    frames[9] += ndimage.gaussian_filter(600 * np.eye(SIZE), 1.5).astype(np.float32)
    numbers = np.delete(np.arange(COUNT), 4)
    stack = shift_average(blocks(frames, numbers, 5), shifts)
    scores = score_frames(blocks(frames, numbers, 5), shifts, stack, 0.5, numbers)
    assert scores.sharpness[numbers].argmin() == list(numbers).index(2)
    assert scores.residual_outlier_score.argmax() == 9
    assert scores.gains[6, 0] / np.median(scores.gains[numbers, 0]) == pytest.approx(0.6, abs=0.03)
    assert (scores.sharpness[4], scores.residual_outlier_score[4], *scores.gains[4]) == (0, 0, 1, 1)


def test_light_is_relative_to_the_stack_in_every_channel(sky: Image) -> None:
    dark = np.percentile(sky, 1, axis=(-2, -1), keepdims=True)
    frame = dark + np.array([0.5, 2.0], np.float32)[:, None, None] * (sky - dark)
    np.testing.assert_allclose(relative_light(frame[None], sky), [[0.5, 2.0]], rtol=1e-3)
    np.testing.assert_allclose(relative_light((dark + 100 * (sky - dark))[None], sky), 10)  # limited


@pytest.mark.parametrize(
    ("count", "share", "held"), [(100, 0.1, 10), (40, 0.1, 5), (10, 0.01, 3), (10, 0.9, 5), (5, 0.5, 2)]
)
def test_held_out_frames_are_a_few_of_the_usable(count: int, share: float, held: int) -> None:
    usable = 3 * np.arange(count)
    found = draw_heldout(usable, share, seed=1)
    assert len(np.unique(found)) == held
    assert np.isin(found, usable).all()
    assert (np.diff(found) > 0).all()


def test_the_seed_draws_the_held_out_frames() -> None:
    one, again, other = (draw_heldout(np.arange(100), 0.2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def drifting(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """A smooth sky, mosaics (frame, 1, y, x) of it in three brightnesses, and their shifts."""
    y, x = np.indices((40, 48))
    sky = np.asarray(100 * np.exp(-((y - 20) ** 2 + (x - 24) ** 2) / 60) + 10, np.float32)
    shifts = np.random.default_rng(2).uniform(-3, 3, (count, 2)).astype(np.float32)
    moved = shift_frames(np.repeat(sky[None, None], count, axis=0), shifts)
    colours = sum(gain * sampling.mask(40, 48) for gain, sampling in zip(GAINS, SAMPLINGS, strict=True))
    return sky, np.asarray(moved * colours, np.float32), shifts


def test_each_colour_gets_its_own_light() -> None:
    sky, frames, shifts = drifting(40)
    stack = average_colours([(np.arange(20), frames[:20]), (np.arange(20, 40), frames[20:])], shifts, SAMPLINGS)
    assert stack.shape == (3, 40, 48)
    for picture, gain in zip(stack, GAINS, strict=True):
        np.testing.assert_allclose(picture[6:-6, 6:-6], gain * sky[6:-6, 6:-6], atol=0.04 * gain * 100)


def test_one_frame_leaves_no_holes() -> None:
    sky, frames, _ = drifting(1)
    stack = average_colours([(np.arange(1), frames)], np.zeros((1, 2), np.float32), SAMPLINGS)
    assert (stack > 5).all()
    assert np.abs(stack[1] / 2 - sky).mean() < 3


def test_whole_frames_are_averaged_as_ever() -> None:
    _, frames, shifts = drifting(6)
    block = np.repeat(frames, 3, axis=1)
    np.testing.assert_array_equal(
        average_colours([(np.arange(6), block)], shifts, [FULL] * 3), shift_average([(np.arange(6), block)], shifts)
    )
