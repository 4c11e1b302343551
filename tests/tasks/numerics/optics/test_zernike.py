"""Zernike modes in Noll's order are orthonormal over the disc."""

import numpy as np
import pytest

from tasks.numerics.optics.zernike import noll, zernike


@pytest.mark.parametrize(
    ("j", "order"), [(2, (1, 1)), (3, (1, -1)), (4, (2, 0)), (5, (2, -2)), (6, (2, 2)), (11, (4, 0))]
)
def test_noll_order(j: int, order: tuple[int, int]) -> None:
    assert noll(j) == order


def test_modes_are_orthonormal_over_the_disc() -> None:
    y, x = np.mgrid[-1:1:401j, -1:1:401j]
    rho, theta = np.hypot(y, x), np.arctan2(y, x)
    modes = np.stack([zernike(j, rho, theta)[rho <= 1] for j in range(1, 16)])
    np.testing.assert_allclose(modes @ modes.T / modes.shape[1], np.eye(15), atol=0.02)
