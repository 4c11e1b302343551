"""The fit: it learns, goes on after a kill with the same bits, and its guard reverts, recovers or gives up."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from storage.errors import Hopeless
from tasks.learning.checkpoint import Keeper
from tasks.learning.fit import Fit, Task, gain_on, rate_at, run, verdict
from tests.tasks.learning.conftest import toy_net, with_settings


def _weights(net: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in net.state_dict().values()]


def test_it_learns_and_step_zero_is_the_classical_answer(task: Task) -> None:
    net = toy_net()
    assert gain_on(net, task.validation, task.loss) == 0.0
    fit = run(Fit(net, task, 0.01, 80))
    assert gain_on(fit.net, task.validation, task.loss) > 0.5
    assert verdict(fit) == "fits"


def test_a_killed_training_ends_with_the_same_bits(task: Task, tmp_path: Path) -> None:
    whole = run(Fit(toy_net(), task, 0.01, 24))
    keeper = Keeper(tmp_path / "checkpoint.safetensors")
    killed = Fit(toy_net(), task, 0.01, 24)

    class Killed(Exception):
        pass

    def kill(done: int, total: int) -> None:
        if done == 16:
            raise Killed

    with pytest.raises(Killed):
        run(killed, keeper, kill)
    again = run(Fit(toy_net(seed=5), task, 0.01, 24), keeper)
    assert all(torch.equal(a, b) for a, b in zip(_weights(whole.net), _weights(again.net), strict=True))
    assert whole.curve == again.curve
    assert whole.best[0] == again.best[0]


def test_a_broken_checkpoint_is_not_used(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"half a file")
    assert Keeper(path).read() is None
    assert run(Fit(toy_net(), task, 0.01, 8), Keeper(path)).step == 8


def test_a_corrupt_example_is_named_and_left_out(task: Task) -> None:
    inputs = task.train.inputs.copy()
    inputs[3, 0, 4, 4] = np.nan
    sick = replace(task, train=replace(task.train, inputs=inputs))
    with_one = with_settings(sick, checkpoint_steps=4)
    fit = Fit(toy_net(), with_one, 0.01, 24)
    with contextlib.suppress(Hopeless):
        run(fit)
    assert fit.guard.events
    assert all(event["worst"] == 3 and event["not_finite"] == 1 for event in fit.guard.events)


def test_a_spoilt_net_is_reverted_and_recovers(task: Task) -> None:
    clean = run(Fit(toy_net(), task, 0.01, 60))
    net = toy_net()
    spoilt = Fit(net, task, 0.01, 60)

    def spoil(done: int, total: int) -> None:
        if done == 24 and not spoilt.guard.events:
            with torch.no_grad():
                net.body.tail.bias.fill_(float("nan"))

    run(spoilt, progress=spoil)
    assert [event["cause"] for event in spoilt.guard.events] == ["loss is not a number"]
    assert spoilt.factor == 0.5
    assert gain_on(net, task.validation, task.loss) > 0.9 * gain_on(clean.net, task.validation, task.loss)


def test_three_reverts_fail_with_the_evidence(task: Task) -> None:
    train = replace(task.train, truth=np.full_like(task.train.truth, np.nan))
    with pytest.raises(Hopeless, match=r"reverted 3 times and has failed: step 0: loss is not a number \(examples \["):
        run(Fit(toy_net(), replace(task, train=train), 0.01, 24))


def test_a_far_too_high_rate_is_seen(task: Task) -> None:
    high = with_settings(task, clip=1e9, checkpoint_steps=30)
    fit = Fit(toy_net(), high, 30.0, 120)
    with pytest.raises(Hopeless):
        run(fit)
    assert fit.factor < 1


def test_a_far_too_low_rate_is_called_stuck(task: Task) -> None:
    assert verdict(run(Fit(toy_net(), task, 1e-7, 24))) == "stuck"


def test_the_best_weights_are_kept_not_the_last(task: Task) -> None:
    fit = Fit(toy_net(), task, 0.01, 40)
    worse: list[float] = []

    def spoil(done: int, total: int) -> None:
        worse.append(done)
        if done == 16:
            with torch.no_grad():
                for value in fit.net.parameters():
                    value.mul_(0.9)

    run(fit, progress=spoil)
    gains = [row["validation_gain"] for row in fit.curve if "validation_gain" in row]
    assert fit.best[0] == max(gains)


def test_the_rate_rises_and_falls(task: Task) -> None:
    fit = Fit(toy_net(), task, 0.01, 200)
    rates = [rate_at(fit, step) for step in range(200)]
    assert rates[0] < max(rates) > rates[-1]
    assert 20 < int(np.argmax(rates)) < 40
