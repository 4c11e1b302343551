"""Batches: what is drawn follows from seed and step; fields turn with their pictures."""

import numpy as np
import pytest
import torch

from tasks.learning.batches import Sampling, batch_at, batch_of, turned
from tasks.numerics.networks.dewarp import warped
from tests.tasks.learning.conftest import toy_pairs

SAMPLING = Sampling(4, 16, 3, True, False)


def test_a_step_always_draws_the_same() -> None:
    pairs = toy_pairs(12, 0)
    one, other = batch_at(pairs, SAMPLING, 5), batch_at(pairs, SAMPLING, 5)
    assert one.numbers == other.numbers
    assert torch.equal(one.inputs, other.inputs)
    assert batch_at(pairs, SAMPLING, 6).numbers != one.numbers


def test_every_example_is_turned_on_its_own() -> None:
    batch = batch_of(toy_pairs(2, 0), Sampling(8, 32, 0, True, False), 0, [1] * 8)
    assert len({tuple(x.flatten()[:5].tolist()) for x in batch.inputs}) > 3


def test_without_augmentation_a_whole_picture_stays_as_it_is() -> None:
    pairs = toy_pairs(3, 0)
    batch = batch_of(pairs, Sampling(1, 32, 0, False, False), 0, [2])
    assert np.array_equal(batch.truth[0].numpy(), pairs.truth[2])


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("mirror", [False, True])
def test_a_field_turns_with_its_pictures(quarter: int, mirror: bool) -> None:
    """Warping and turning give the same in either order."""
    rng = np.random.default_rng(0)
    picture = rng.standard_normal((1, 24, 24)).astype(np.float32)
    field = np.stack([np.full((24, 24), 1.5), np.full((24, 24), -0.75)]).astype(np.float32)
    first = turned(
        warped(torch.from_numpy(picture)[None], torch.from_numpy(field)[None])[0].numpy(), quarter, mirror, False
    )
    moved, way = turned(picture, quarter, mirror, False), turned(field, quarter, mirror, True)
    second = warped(torch.from_numpy(moved)[None], torch.from_numpy(way)[None])[0].numpy()
    assert np.abs(first - second)[:, 4:-4, 4:-4].max() < 1e-5
