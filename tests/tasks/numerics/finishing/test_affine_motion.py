"""The motion of a target as a whole is found from noisy neighbours, and taken back."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.finishing.affine_motion import motion_around, moved_by
from tasks.numerics.simulator.targets import TARGETS

MIDDLE = 5


def burst(turn_deg: float, drift_px: float, noise: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(frames, their truth) of a satellite that turns and drifts along x."""
    sky = ndimage.gaussian_filter(TARGETS["satellite"](112, np.random.default_rng(7)), 1.2)
    seen = []
    for k in range(-MIDDLE, MIDDLE + 1):
        turned = ndimage.rotate(sky, turn_deg * k, reshape=False, order=3)
        seen.append(ndimage.shift(turned, (0, drift_px * k), order=3)[24:88, 24:88])
    truth = np.asarray(seen, np.float32)
    return truth + np.random.default_rng(1).normal(0, noise, truth.shape).astype(np.float32), truth


@pytest.mark.parametrize(("turn", "drift"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.7), (1.5, -0.5)])
def test_turn_and_drift_are_found(turn: float, drift: float) -> None:
    frames, _ = burst(turn, drift, 0.02)
    velocity = motion_around(frames, MIDDLE)
    assert np.degrees(velocity[1, 0] - velocity[0, 1]) / 2 == pytest.approx(turn, abs=0.25)
    assert velocity[1, 2] == pytest.approx(drift, abs=0.1)
    assert velocity[0, 2] == pytest.approx(0, abs=0.1)


def test_neighbours_come_where_the_frame_is() -> None:
    frames, truth = burst(2.0, 0.5, 0.02)
    velocity = motion_around(frames, MIDDLE)
    inner = (slice(8, -8), slice(8, -8))
    for k in (-2, 2):
        far = np.mean((truth[MIDDLE + k] - truth[MIDDLE])[inner] ** 2)
        assert np.mean((moved_by(truth[MIDDLE + k], velocity, k) - truth[MIDDLE])[inner] ** 2) < 0.2 * far


def test_the_frame_itself_has_no_say() -> None:
    frames, _ = burst(2.0, 0.5, 0.02)
    other = frames.copy()
    other[MIDDLE] = 0
    assert np.array_equal(motion_around(frames, MIDDLE), motion_around(other, MIDDLE))


def test_flat_frames_do_not_move() -> None:
    flat = np.ones((7, 20, 24), np.float32)
    assert np.allclose(motion_around(flat, 3), 0)
    assert np.allclose(moved_by(flat[0], np.zeros((2, 3)), 2), flat[0])
