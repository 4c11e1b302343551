"""Moments in one pass are those of all frames together."""

import numpy as np

from tasks.numerics.frames.moments import Moments


def test_moments_are_those_of_all_frames() -> None:
    dice = np.random.default_rng(0)
    frames = (30000 + dice.normal(0, [[1.0], [50.0]], (75, 2, 5))).astype(np.float32)
    frames[:, 0, 0] = 30007
    moments = Moments(frames[3])
    for start in range(0, 75, 20):
        moments.add(frames[start : start + 20])
    exact = frames.astype(np.float64)
    np.testing.assert_allclose(moments.mean, exact.mean(0), rtol=1e-7)
    np.testing.assert_allclose(moments.variance, exact.var(0), rtol=1e-5)
    assert moments.variance[0, 0] == 0


def test_without_frames_nothing_varies() -> None:
    moments = Moments(np.ones((2, 2), np.float32))
    assert (moments.mean == 1).all()
    assert (moments.variance == 0).all()
