"""The guard: spikes, collapses and which example is blamed."""

import numpy as np
import torch

from tasks.learning.guard import Guard, blame, collapsed


def test_a_jump_of_the_loss_is_a_spike_and_noise_is_none() -> None:
    guard, rng = Guard(), np.random.default_rng(0)
    assert not any(guard.spike(float(loss)) for loss in rng.normal(-20, 0.5, 60))
    assert "to -10.00" in guard.spike(-10.0)
    assert guard.spike(float("inf")) == "loss is not a number"


def test_collapses_are_told_apart() -> None:
    truth = torch.randn(4, 2, 16, 16) + 1
    assert collapsed(truth * 0.9, truth) == ""
    assert collapsed(torch.zeros_like(truth), truth) == "answer is black"
    assert collapsed(torch.ones_like(truth), truth) == "answer is flat"
    one = truth.clone()
    one[:, 1] = 0.3
    assert "plane 1 of the answer is flat: one colour" in collapsed(one, truth)
    one[0, 0, 0, 0] = float("nan")
    assert collapsed(one, truth) == "answer holds what is no number"


def test_the_example_that_stands_out_is_named() -> None:
    seeds = np.arange(20).reshape(10, 2)
    found = blame((4, 7, 2), torch.tensor([1.0, 9.0, 2.0]), torch.ones(3, 1, 4, 4) * 5, seeds)
    assert (found["worst"], found["sky_seed"], found["air_seed"], found["range"]) == (7, 14, 15, [5.0, 5.0])
