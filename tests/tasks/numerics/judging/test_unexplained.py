"""Frames that a sky does not explain stand out against the others, not against an absolute limit."""

import numpy as np
import pytest

from tasks.numerics.judging.unexplained import MIN_EXCESS, unexplained_frames


def test_frames_that_stand_out_are_named_by_their_best_start() -> None:
    frames = np.array([4, 7, 9, 12, 15, 4, 7, 9, 12, 15])
    misfits = np.array([1.0, 1.02, 5.0, 0.98, 1.01, 1.03, 4.0, 4.5, 1.0, 1.0], np.float32)
    assert unexplained_frames(frames, misfits) == [9]
    assert unexplained_frames(frames, np.ones(10, np.float32)) == []


@pytest.mark.parametrize("level", [1.0, 40.0])
def test_where_all_frames_are_alike_a_little_more_is_no_fault(level: float) -> None:
    misfits = np.full(20, level, np.float32)
    misfits[3] *= 1 + 0.9 * MIN_EXCESS
    assert unexplained_frames(np.arange(20), misfits) == []
    misfits[3] = level * (1 + 1.1 * MIN_EXCESS)
    assert unexplained_frames(np.arange(20), misfits) == [3]


def test_where_frames_differ_much_it_takes_more_to_stand_out() -> None:
    misfits = np.linspace(1, 3, 21, dtype=np.float32)
    misfits[5] = 4.0
    assert unexplained_frames(np.arange(21), misfits) == []
    misfits[5] = 12.0
    assert unexplained_frames(np.arange(21), misfits) == [5]
