"""A target on black is cut out wherever it drifted; what fills the frame, or shows nothing, is left whole."""

import numpy as np
import pytest

from tasks.numerics.frames.lit_window import lit_window

SIZE = (480, 640)


def moments(places: list[tuple[float, float]], radius: float = 40.0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Mean and variance (y, x) of a disc that stood at these places."""
    dice = np.random.default_rng(0)
    y, x = np.indices(SIZE)
    frames = [100.0 * (np.hypot(y - a, x - b) < radius) for a, b in places]
    noise = dice.normal(0, 0.1, SIZE)
    return np.float32(np.mean(frames, axis=0) + 8 + noise), np.float32(np.var(frames, axis=0) + 4 + 0.2 * noise)


def test_a_planet_is_cut_out_with_dark_sky_around_it() -> None:
    rows, columns = lit_window(*moments([(200, 300)]), period=2)
    for side, centre in ((rows, 200), (columns, 300)):
        assert side.start % 4 == 0
        assert (side.stop - side.start) % 4 == 0
        assert side.start <= centre - 40 - 48
        assert side.stop >= centre + 40 + 48
    assert rows.stop - rows.start == columns.stop - columns.start == 256


def test_where_it_stood_for_a_moment_counts() -> None:
    rows, columns = lit_window(*moments([(150, 150)] * 599 + [(150, 330)], radius=25))
    assert columns.start <= 150 - 25 - 48
    assert columns.stop >= 330 + 25 + 48
    assert rows.stop - rows.start < SIZE[0]


def test_at_the_border_there_is_less_sky() -> None:
    rows, columns = lit_window(*moments([(470, 10)]))
    assert rows.stop == SIZE[0]
    assert columns.start == 0


@pytest.mark.parametrize("kind", ["field", "black", "large"])
def test_the_frame_is_left_whole(kind: str) -> None:
    if kind == "large":
        mean, variance = moments([(240, 320)], radius=140)
    else:
        mean = np.float32(np.random.default_rng(1).uniform(0, 200 if kind == "field" else 0, SIZE))
        variance = np.ones(SIZE, np.float32)
    assert lit_window(mean, variance) == (slice(0, SIZE[0]), slice(0, SIZE[1]))
