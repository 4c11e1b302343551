"""Before the fit: a net that cannot overfit stops with a diagnosis; folds are split by sky and air."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from storage.errors import Hopeless
from tasks.learning.choice import choose, fold_numbers, ladder, rate_test
from tasks.learning.fit import Task
from tests.tasks.learning.conftest import ToyNet, toy_net, toy_pairs, with_settings


class Crippled(ToyNet):
    """A net whose answer does not depend on what it is given."""

    def forward(self, inputs: torch.Tensor, classical: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        return classical + 0 * self.body(torch.cat([inputs, classical], 1) * 0, conditions)


def test_a_healthy_net_climbs_the_ladder(task: Task) -> None:
    rungs = ladder(toy_net, task)
    assert rungs["one_batch"] > 0.3
    assert rungs["ten"] > 0


def test_a_crippled_net_stops_with_a_diagnosis(task: Task) -> None:
    with pytest.raises(Hopeless, match=r"cannot overfit: after 30 steps on one batch .*width 4"):
        ladder(Crippled, task)


def test_folds_are_disjoint_cover_all_and_share_no_sky() -> None:
    pairs = toy_pairs(10, 0).at(np.repeat(np.arange(10), 3))
    folds = fold_numbers(pairs, 5)
    assert sorted(np.concatenate(folds).tolist()) == list(range(30))
    skies = [set(pairs.seeds[fold, 0].tolist()) for fold in folds]
    assert sum(map(len, skies)) == 10


def test_the_better_rate_is_chosen(task: Task) -> None:
    rate, rows = choose(toy_net, with_settings(task, rates=(1e-7, 0.01), fold_steps=8))
    assert rate == 0.01
    assert len(rows) == 2
    assert all(len(row["folds"]) == 2 for row in rows)


def test_one_fold_means_no_choice(task: Task) -> None:
    assert choose(toy_net, with_settings(task, folds=1)) == (0.01, [])


def test_the_rate_test_rises_to_large_rates(task: Task) -> None:
    rows = rate_test(toy_net, replace(task))
    assert rows[0]["rate"] == pytest.approx(1e-5)
    assert max(row["gain"] for row in rows) > 0
