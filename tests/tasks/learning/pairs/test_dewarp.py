"""Pairs for dewarp: the field is what moved the frame, and judging tells near from far."""

import numpy as np
import pytest
import torch

from configs.training import TrainRequest, training_settings
from tasks.learning.pairs.dewarp import field_loss, judged, random_field, simulate
from tasks.numerics.networks.dewarp import warped

SETTINGS = training_settings(TrainRequest(step="dewarp", overrides=("size_px=64", "pictures=2")))


@pytest.fixture(scope="module")
def pairs():
    return simulate("moon", (1, 2), SETTINGS)


def _answers(field: np.ndarray) -> np.ndarray:
    return np.concatenate([field, np.zeros_like(field[:, :1])], 1)


def test_the_true_field_puts_the_frame_on_the_reference(pairs) -> None:
    frame = torch.from_numpy(pairs.inputs[:, :1])
    moved = warped(frame, torch.from_numpy(pairs.truth)).numpy()[:, 0, 10:-10, 10:-10]
    before, reference = (pairs.inputs[:, k, 10:-10, 10:-10] for k in (0, 1))
    assert np.std(moved - reference) < 0.6 * np.std(before - reference)


def test_the_true_field_wins(pairs) -> None:
    figures = judged(pairs, _answers(pairs.truth))
    assert np.allclose(figures["gain"], 1)
    assert (figures["zero_px"] > figures["grid_px"]).all()
    assert np.allclose(judged(pairs, _answers(pairs.classical))["gain"], 0)


def test_a_field_has_the_rms_that_it_says() -> None:
    field, rms = random_field((64, 64), np.random.default_rng(0))
    assert field.std() == pytest.approx(rms, rel=1e-3)


def test_the_loss_falls_with_the_distance_and_with_an_error_that_is_stated_rightly() -> None:
    truth, weight = torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)
    far = torch.full((1, 3, 8, 8), 0.5)
    far[:, 2] = float(np.log(0.5 * np.sqrt(2)))
    wrong = far.clone()
    wrong[:, 2] = -3
    assert field_loss(far * 0, truth, weight) < field_loss(far, truth, weight) < field_loss(wrong, truth, weight)
