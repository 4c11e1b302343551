"""fill's net: what is not missing is left bit by bit."""

import numpy as np
import torch

from tasks.numerics.networks.fill import FillNet, filled


def test_outside_the_mask_nothing_changes() -> None:
    torch.manual_seed(0)
    net = FillNet(8)
    torch.nn.init.normal_(net.body.tail.weight, std=0.1)
    frame = np.random.default_rng(0).random((33, 47), dtype=np.float32) * 4000
    mask = np.zeros(frame.shape, bool)
    mask[10:14, 20:25] = True
    answer = filled(net, frame, mask, frame * 0.9)
    assert np.array_equal(answer[~mask], frame[~mask])
    assert (answer[mask] != frame[mask]).all()


def test_a_new_net_gives_the_classical_answer() -> None:
    frame = np.random.default_rng(0).random((33, 47), dtype=np.float32)
    assert np.allclose(filled(FillNet(8), frame, np.ones(frame.shape, bool), frame), frame, atol=1e-6)
