"""Decibels by the hand formula, and figures example by example."""

import numpy as np
import pytest

from tasks.learning.pairs.judging import decibels, example_by_example
from tests.tasks.learning.conftest import toy_pairs


def test_decibels_are_those_of_the_formula() -> None:
    truth = np.linspace(0, 2, 100, dtype=np.float32).reshape(10, 10)
    assert decibels(truth, truth + 0.2) == pytest.approx(20, abs=1e-3)
    assert decibels(truth, truth) > 150
    wrong = truth.copy()
    wrong[0] += 1
    assert decibels(truth, wrong, truth > 1) > 150


def test_every_example_is_judged() -> None:
    @example_by_example
    def judged(pairs, answers, number):
        return {"number": float(number), "miss": float(np.abs(answers[number] - pairs.truth[number]).max())}

    pairs = toy_pairs(3, 0)
    found = judged(pairs, pairs.truth)
    assert found["number"].tolist() == [0, 1, 2]
    assert not found["miss"].any()
