"""Pairs for fill: holes of all kinds, filled classically; judging looks into the holes only."""

import numpy as np
import pytest

from configs.training import TrainRequest, training_settings
from tasks.learning.pairs.fill import domain, holes, judged, simulate

SETTINGS = training_settings(TrainRequest(step="fill", overrides=("size_px=48", "pictures=2")))


@pytest.fixture(scope="module")
def pairs():
    return simulate("planet", (1, 2), SETTINGS)


def test_holes_are_lone_pixels_a_column_and_blocks() -> None:
    mask, side = holes((64, 64), np.random.default_rng(0))
    assert mask.all(axis=0).sum() == 1
    assert 3 <= side <= 15
    assert side**2 < mask.sum() < 64 + 4 * side**2 + 40


def test_the_mask_says_what_counts(pairs) -> None:
    assert np.allclose(pairs.inputs[:, 0], pairs.weight[:, 0], atol=1e-5)
    assert (domain(pairs)["hole_px"] >= 1).all()


def test_the_reference_helps_and_the_truth_wins(pairs) -> None:
    figures = judged(pairs, np.where(pairs.weight > 0, pairs.truth, pairs.classical))
    assert (figures["classical_over_biharmonic"] > 0).all()
    assert (figures["gain"] > 10).all()
    assert not figures["changed_outside"].any()


def test_what_is_changed_outside_the_holes_is_counted(pairs) -> None:
    assert (judged(pairs, pairs.classical + 0.1)["changed_outside"] > 0.05).all()
