"""Pairs for burst: the predicted frame is in no input, and judging sees who has copied it."""

import numpy as np
import pytest

from configs.training import TrainRequest, training_settings
from tasks.learning.pairs.burst import domain, judged, simulate

SETTINGS = training_settings(TrainRequest(step="burst", overrides=("size_px=32", "pictures=2")))


@pytest.fixture(scope="module")
def pairs():
    return simulate("turbulent", (1, 2), SETTINGS)


def test_shapes_and_domain(pairs) -> None:
    assert pairs.inputs.shape == (2, 5, 32, 32)
    assert pairs.classical.shape == pairs.truth.shape == (2, 1, 32, 32)
    assert (domain(pairs)["relative_sigma"] > 0.02).all()


def test_the_frame_itself_is_no_input(pairs) -> None:
    """Its noise, which only the facts hold, is in none of the inputs."""
    for number in range(2):
        noise = pairs.facts[number, 1 : 1 + 32 * 32] - pairs.truth[number].ravel()
        for plane in (*pairs.inputs[number], pairs.classical[number, 0]):
            rest = plane.ravel() - pairs.truth[number].ravel()
            assert abs(np.corrcoef(noise, rest)[0, 1]) < 0.15


def test_the_truth_wins_and_a_copy_of_the_frame_is_seen(pairs) -> None:
    best = judged(pairs, pairs.truth)
    assert (best["gain"] > 10).all()
    assert (best["residual_excess"] < 0.1).all()
    copied = pairs.facts[:, 1 : 1 + 32 * 32].reshape(2, 1, 32, 32)
    assert (judged(pairs, copied)["residual_excess"] > 0.9).all()


def test_a_family_with_a_target_uses_it() -> None:
    one, other = simulate("rotating satellite", (1, 2), SETTINGS), simulate("rotating", (1, 2), SETTINGS)
    assert not np.allclose(one.truth, other.truth)
