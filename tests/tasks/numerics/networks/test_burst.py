"""burst's net: the frame that is predicted is never read."""

import numpy as np
import pytest

from tasks.numerics.networks.burst import BurstNet, neighbours_of, noise_condition, predicted


@pytest.mark.parametrize("frames", [5, 6, 40])
def test_a_frame_is_never_its_own_neighbour(frames: int) -> None:
    for number in range(frames):
        found = neighbours_of(number, frames)
        assert number not in found
        assert all(0 <= each < frames for each in found)
        assert len(set(found)) == 4 or number in (0, 1, frames - 2, frames - 1)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="five are needed"):
        neighbours_of(1, 4)


def test_a_new_net_gives_the_classical_answer() -> None:
    frames = np.random.default_rng(0).random((6, 30, 41), dtype=np.float32) * 4000
    answer = predicted(BurstNet(8), frames[:4], frames[4], frames[5], 100.0)
    assert np.allclose(answer, frames[5], rtol=1e-5, atol=1e-2)


def test_the_noise_condition_rises_with_the_noise() -> None:
    assert noise_condition(0.01) < noise_condition(0.1) == 0.0
