"""Toy pairs: the truth is a blurred picture's sharp one, so that a small net learns something in a second."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from configs.training import Training, TrainRequest, training_settings
from tasks.learning.batches import Sampling
from tasks.learning.fit import Task
from tasks.learning.pairs.base import Pairs
from tasks.learning.pairs.table import log_error
from tasks.numerics.networks.blocks import GatedUNet

TOY = ("width=4", "skies=2", "test_skies=1", "pictures=2", "size_px=32", "crop_px=32", "steps=24", "checkpoint_steps=8",
       "ladder_steps=30", "fold_steps=4", "folds=2", "batch=4", "rates=[0.01, 0.003]")  # fmt: skip


class ToyNet(torch.nn.Module):
    """A net with the face of all nets."""

    inputs, outputs, conditions = 1, 1, 1

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body = GatedUNet((2, 1), width, 1)

    def forward(self, inputs: torch.Tensor, classical: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        return classical + self.body(torch.cat([inputs, classical], 1), conditions)


def toy_pairs(count: int, first: int) -> Pairs:
    """Smooth random pictures; the classical answer is a blurred one."""
    found = []
    for number in range(count):
        rng = np.random.default_rng(first + number)
        sharp = ndimage.gaussian_filter(rng.standard_normal((32, 32)), 1.2, mode="wrap")
        found.append(np.stack([sharp, ndimage.gaussian_filter(sharp, 0.8, mode="wrap")]) / sharp.std())
    planes = np.asarray(found, np.float32)
    one = np.ones_like(planes[:, :1])
    seeds = np.stack([np.arange(first, first + count)] * 2, 1)
    return Pairs(planes[:, 1:], planes[:, 1:] * 0.9, planes[:, :1], one, one[:, 0, 0, :1], one[:, 0, 0, :1], seeds)


@pytest.fixture
def settings() -> Training:
    return training_settings(TrainRequest(step="enhance", overrides=TOY))


@pytest.fixture
def task(settings: Training) -> Task:
    sampling = Sampling(4, 32, 0, True, False)
    return Task(toy_pairs(24, 0), toy_pairs(8, 1000), log_error, settings, sampling)


def with_settings(task: Task, **changes: object) -> Task:
    """The same task with other settings."""
    return replace(task, settings=task.settings.model_copy(update=changes))


def toy_net(seed: int = 0) -> torch.nn.Module:
    """A net that adds nothing yet."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ToyNet()
