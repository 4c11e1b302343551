"""The adversarial recipe: features that see blur, a critic that is left out once it is too good, and exact continuation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from tasks.learning.adversary import Adversary, adversary, learned_features
from tasks.learning.batches import whole
from tasks.learning.checkpoint import Keeper
from tasks.learning.fit import Fit, Task, run
from tests.tasks.learning.conftest import ToyNet, toy_pairs, with_settings


@pytest.fixture
def judged_too(task: Task, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr("tasks.learning.adversary.FEATURE_STEPS", 5)
    critics = adversary(task.train, task.sampling, 0.2, 0.1, "cpu")
    return replace(with_settings(task, steps=16), adversary=critics)


def test_without_weights_there_is_none(task: Task) -> None:
    assert adversary(task.train, task.sampling, 0.0, 0.0, "cpu") is None


def test_features_are_the_farther_apart_the_more_a_picture_is_blurred(task: Task) -> None:
    features, sharp = learned_features(task.train, task.sampling), toy_pairs(6, 500).truth
    apart = []
    for blur in (0.3, 0.6, 0.9, 1.3, 2.0):
        dull = ndimage.gaussian_filter(sharp, (0, 0, blur, blur))
        with torch.no_grad():
            pairs = zip(*(features.features(torch.from_numpy(each)) for each in (sharp, dull)), strict=True)
            apart.append(sum(float(((a - b) ** 2).mean()) for a, b in pairs))
    assert apart == sorted(apart)


def test_a_critic_learns_to_tell_and_is_left_out_once_it_is_too_good(judged_too: Task) -> None:
    critics, batch = judged_too.adversary, whole(judged_too.train)
    assert isinstance(critics, Adversary)
    for step in range(600):
        critics.learn(torch.zeros_like(batch.truth), batch, step)
    assert critics.left_out_at is not None
    assert critics.right > 0.95
    before = {name: value.clone() for name, value in critics.critic.state_dict().items()}
    critics.learn(torch.zeros_like(batch.truth), batch, 601)
    assert all(torch.equal(value, before[name]) for name, value in critics.critic.state_dict().items())


def test_a_killed_training_with_a_critic_ends_with_the_same_bits(judged_too: Task, tmp_path) -> None:
    def fit(keeper: Keeper | None, until: int) -> Fit:
        torch.manual_seed(0)
        own = replace(judged_too, adversary=adversary(judged_too.train, judged_too.sampling, 0.2, 0.1, "cpu"))
        began = Fit(ToyNet(), own, 0.01, 16)
        if until < 16:
            with pytest.raises(KeyboardInterrupt):
                run(began, keeper, _stop_at(until))
            return began
        return run(began, keeper)

    fit(Keeper(tmp_path / "c"), 8)
    resumed, whole_run = fit(Keeper(tmp_path / "c"), 16), fit(None, 16)
    for mine, other in zip(resumed.net.parameters(), whole_run.net.parameters(), strict=True):
        assert torch.equal(mine, other)
    assert resumed.task.adversary is not None
    assert whole_run.task.adversary is not None
    assert resumed.task.adversary.right == whole_run.task.adversary.right


def _stop_at(step: int):
    def progress(done: int, _: int) -> None:
        if done >= step:
            raise KeyboardInterrupt

    return progress


def test_the_recipe_still_learns(judged_too: Task) -> None:
    torch.manual_seed(0)
    fit = run(Fit(ToyNet(), judged_too, 0.01, 16))
    assert fit.best is not None
    assert fit.best[0] > 0
    assert np.isfinite([row["train_gain"] for row in fit.curve if "train_gain" in row]).all()
