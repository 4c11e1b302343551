"""Tiles give what the whole picture gives, for any size."""

import numpy as np
import pytest
import torch

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.tiles import in_tiles


@pytest.mark.parametrize("shape", [(61, 97), (64, 128), (131, 40)])
def test_tiles_give_what_the_whole_gives(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    net = GatedUNet((2, 1), 4)
    torch.nn.init.normal_(net.tail.weight)
    planes = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    nothing = torch.zeros(1, 0)
    whole = in_tiles(lambda x: net(x, nothing), planes, tile=256)
    tiled = in_tiles(lambda x: net(x, nothing), planes, tile=32)
    assert whole.shape == (1, *shape)
    assert np.abs(whole - tiled).max() <= 1e-5 * np.ptp(whole)


def test_every_pixel_comes_from_exactly_one_tile() -> None:
    planes = np.arange(50 * 70, dtype=np.float32).reshape(1, 50, 70)
    assert np.array_equal(in_tiles(lambda x: x, planes, tile=16, halo=4), planes)


def test_a_tile_that_does_not_fit_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        in_tiles(lambda x: x, np.zeros((1, 8, 8), np.float32), tile=30)
