"""A block is placed against a reference, wherever its peak lies between the samples, and beside a second one."""

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.frames.correlation import correlate
from tasks.numerics.frames.registration import first_reference


def frame(spots: list[tuple[float, float, float]], size: tuple[int, int] = (96, 80)) -> np.ndarray:  # type: ignore[type-arg]
    """(1, y, x) spots (height, y, x)."""
    y, x = np.indices(size)
    return np.asarray(sum(h * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 18) for h, a, b in spots), np.float32)[None]


@pytest.mark.parametrize("second", [0, 95])
def test_shifts_of_a_block_are_found_to_a_fiftieth_of_a_pixel(second: float) -> None:
    """A double star of two nearly equal ones, too, whose correlation has high second maxima."""
    sky = frame([(100, 44, 40), (second, 55, 47)])
    moves = np.random.default_rng(1).uniform(-12, 12, (40, 2)).astype(np.float32)
    frames = shift_frames(np.repeat(sky[None], 40, axis=0), moves)
    shifts, peaks = correlate(frames, first_reference([sky[None]]))
    np.testing.assert_allclose(shifts, moves, atol=0.02)
    np.testing.assert_allclose(peaks, 1, atol=0.02)


def test_a_frame_without_light_has_no_peak() -> None:
    sky = frame([(100, 44, 40)])
    frames = np.stack([sky, np.full_like(sky, 7), ndimage.shift(sky, (0, 3, -2), order=1)])
    shifts, peaks = correlate(frames, first_reference([sky[None]]))
    assert peaks[1] == 0
    assert (shifts[1] == 0).all()
    np.testing.assert_allclose(shifts[2], (3, -2), atol=0.02)
