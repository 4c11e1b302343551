"""Windows: flat inside, symmetric, zero at the border, and white noise keeps its power."""

import numpy as np
import pytest

from tasks.numerics.fourier.windows import edge_taper, hann


@pytest.mark.parametrize("size", [(48, 64), (37, 41), (9, 16), (4, 2), (3, 1)])
def test_a_taper_is_symmetric_and_at_most_one(size: tuple[int, int]) -> None:
    taper = edge_taper(size)
    assert taper.shape == size
    assert ((taper >= 0) & (taper <= 1)).all()
    np.testing.assert_array_equal(taper, taper[::-1, ::-1])


def test_a_taper_is_one_inside_and_rises_over_an_eighth() -> None:
    taper = edge_taper((48, 64))
    assert (taper[6:42, 8:56] == 1).all()
    assert (np.diff(taper[24, :9]) > 0).all()
    assert taper[24, 0] < 0.02


def test_hann_has_mean_square_one_and_ends_near_zero() -> None:
    window = hann((40, 30))
    assert (window**2).mean() == pytest.approx(1)
    assert window[0].max() < 0.02 * window.max()
