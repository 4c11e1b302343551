"""enhance's net: nothing is added at the start, any unit of light gives the same."""

import numpy as np
import torch

from tasks.numerics.networks.enhance import EnhanceNet, enhanced


def _pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    picture = rng.random((37, 53), dtype=np.float32)
    return picture, picture * 1.1, np.full_like(picture, 0.01)


def _filtered(picture: np.ndarray) -> np.ndarray:
    return np.stack([picture * 1.2, picture * 1.05])


def test_a_new_net_gives_the_classical_answer() -> None:
    picture, classical, sigma = _pictures()
    assert np.allclose(
        enhanced(EnhanceNet(8), picture, classical, sigma, _filtered(picture), 3.0, 0.0), classical, atol=1e-6
    )


def test_units_and_background_make_no_difference() -> None:
    torch.manual_seed(0)
    net = EnhanceNet(8)
    torch.nn.init.normal_(net.body.tail.weight, std=0.01)
    picture, classical, sigma = _pictures()
    plain = enhanced(net, picture, classical, sigma, _filtered(picture), 3.0, 0.0)
    counts = enhanced(
        net, 60000 * picture + 200, 60000 * classical + 200, 60000 * sigma, 60000 * _filtered(picture) + 200, 3.0, 200.0
    )
    assert not np.allclose(plain, classical, atol=1e-4)
    assert np.allclose((counts - 200) / 60000, plain, atol=1e-5)


def test_the_cpu_net_is_small() -> None:
    assert sum(p.numel() for p in EnhanceNet(16).parameters()) <= 150_000
