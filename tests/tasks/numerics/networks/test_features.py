"""Features and critic: shapes, and numbers from any size of picture."""

import torch

from tasks.numerics.networks.features import Critic, FeatureNet


def test_features_get_coarser_and_any_size_gives_numbers() -> None:
    net = FeatureNet(3, 4)
    picture = torch.rand(2, 1, 33, 47)
    assert [tuple(each.shape[1:]) for each in net.features(picture)] == [(4, 33, 47), (8, 17, 24), (8, 9, 12)]
    assert net(picture).shape == (2, 3)
    assert Critic(4)(net.features(picture)).shape == (2,)
