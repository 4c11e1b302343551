"""The stack of a mosaic is made of each colour's own samples, laid where they belong."""

import numpy as np

from tasks.numerics.fourier.sampling import FULL, bayer_samplings
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.frames.stacking import average_colours, shift_average

SAMPLINGS = bayer_samplings("BGGR")
GAINS = (3.0, 2.0, 1.0)


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
