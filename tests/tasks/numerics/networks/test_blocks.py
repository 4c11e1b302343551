"""The parts of nets: shapes, nothing added at the start, and channels normalised."""

import pytest
import torch

from tasks.numerics.networks.blocks import ChannelNorm, GatedBlock, GatedUNet


def test_channel_norm_is_layer_norm_over_the_channels() -> None:
    x = torch.randn(2, 8, 5, 7) * 3 + 1
    want = torch.nn.functional.layer_norm(x.movedim(1, -1), (8,), eps=1e-6).movedim(-1, 1)
    assert torch.allclose(ChannelNorm(8)(x), want, atol=1e-5)


@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize("shape", [(9, 13), (16, 8)])
def test_a_dilated_block_keeps_the_shape(dilation: int, shape: tuple[int, int]) -> None:
    x = torch.randn(1, 4, *shape)
    assert GatedBlock(4, 0, dilation)(x, torch.zeros(1, 0)).shape == x.shape


def test_a_new_net_adds_nothing() -> None:
    assert not GatedUNet((3, 2), 4, 2)(torch.randn(2, 3, 16, 12), torch.randn(2, 2)).any()
