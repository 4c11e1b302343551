"""Simulated sequences: slow air changes little from frame to frame, fast air everything; a turning target turns."""

import numpy as np

from configs.training import TrainRequest, training_settings
from tasks.learning.pairs.sequences import FAST, SLOW, clean_frames, noisy, perfect_frame, scene_of

SETTINGS = training_settings(TrainRequest(step="burst", overrides=("size_px=48",)))


def _frames(fps: float, turn: float = 0.0) -> np.ndarray:
    return clean_frames("galaxy", 1, scene_of(np.random.default_rng(0), 5, SETTINGS, 4, fps), turn)


def test_slow_air_changes_less_than_fast_air_and_than_a_turning_target() -> None:
    slow, fast, turning = (np.diff(f, axis=0).std() for f in (_frames(SLOW), _frames(FAST), _frames(SLOW, 8.0)))
    assert slow < 0.8 * fast
    assert slow < 0.8 * turning


def test_the_perfect_frame_is_sharper_than_those_through_air() -> None:
    scene = scene_of(np.random.default_rng(0), 5, SETTINGS, 4, FAST)
    assert perfect_frame("galaxy", 1, scene).std() > 0
    assert np.isclose(perfect_frame("galaxy", 1, scene).max(), 1.0)


def test_noise_has_the_level_that_is_asked_for() -> None:
    frames = np.zeros((8, 48, 48), np.float32)
    assert abs(noisy(frames, 0.2, np.random.default_rng(0)).std() - 0.2) < 0.01
