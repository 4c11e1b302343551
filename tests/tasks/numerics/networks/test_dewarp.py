"""dewarp's net: the sense of the field, the costs of shifts, nothing added at the start."""

import numpy as np
import torch
from scipy import ndimage

from tasks.numerics.networks.dewarp import REACH_PX, DewarpNet, matching_costs, refined, warped


def _scene() -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((48, 56)), 1.5).astype(np.float32)


def test_a_picture_is_read_where_the_field_points() -> None:
    scene = torch.from_numpy(_scene())[None, None]
    field = torch.zeros(1, 2, 48, 56)
    field[:, 0], field[:, 1] = 2.0, -1.0
    moved = warped(scene, field)
    assert torch.allclose(moved[..., 5:40, 5:50], scene[..., 7:42, 4:49], atol=1e-5)


def test_the_cheapest_shift_is_the_true_one() -> None:
    scene = torch.from_numpy(_scene())[None, None]
    cost = matching_costs(torch.roll(scene, (2, -1), (2, 3)), scene)
    side = 2 * REACH_PX + 1
    best = cost[0, :, 8:-8, 8:-8].argmin(0)
    assert (best == (2 + REACH_PX) * side + (-1 + REACH_PX)).all()


def test_a_new_net_gives_the_classical_field() -> None:
    field = np.random.default_rng(1).standard_normal((2, 48, 56)).astype(np.float32)
    found, error = refined(DewarpNet(8), _scene(), _scene(), field)
    assert np.allclose(found, field, atol=1e-6)
    assert np.allclose(error, 1.0)
