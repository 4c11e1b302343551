"""Pairs for dewarp: the field is what moved the frame, and judging tells near from far."""

import numpy as np
import pytest
import torch

from configs.training import TrainRequest, training_settings
from tasks.learning.pairs.dewarp import field_loss, judged, random_fields, simulate
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


def test_fields_have_the_rms_that_they_say_and_no_mean() -> None:
    fields, rms = random_fields((64, 64), 5, np.random.default_rng(0))
    assert fields.std() == pytest.approx(rms, rel=1e-3)
    assert np.abs(fields.mean(axis=0)).max() < 1e-5


def test_the_stack_of_the_true_fields_is_nearest(pairs) -> None:
    best, lazy = judged(pairs, _answers(pairs.truth)), judged(pairs, _answers(0 * pairs.truth))
    assert (best["stack_behind_grid_db"] < 0).all()
    assert (lazy["stack_behind_grid_db"] > 0).all()


def test_the_loss_falls_with_the_distance_and_with_an_error_that_is_stated_rightly() -> None:
    truth, weight = torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)
    far = torch.full((1, 3, 8, 8), 0.5)
    far[:, 2] = float(np.log(0.5 * np.sqrt(2)))
    wrong = far.clone()
    wrong[:, 2] = -3
    assert field_loss(far * 0, truth, weight) < field_loss(far, truth, weight) < field_loss(wrong, truth, weight)
