"""The aperture's size in cells, and its antialiased mask."""

import math
import tracemalloc

import numpy as np
import pytest

from tasks.numerics.optics.aperture import Aperture, aperture_mask, diameter_cells

ARCSEC = math.pi / 180 / 3600


def test_nyquist_sampling_fills_half_the_grid() -> None:
    scale = 550e-9 / 0.25 / 2
    assert diameter_cells(192, 0.25, 550e-9, scale) == pytest.approx(96)
    assert diameter_cells(192, 0.25, 550e-9, 0.2268915 * ARCSEC) == pytest.approx(96, rel=1e-4)


def test_aperture_has_the_annulus_area_and_centre() -> None:
    mask = aperture_mask(64, Aperture(30.0, 0.33))
    assert mask.sum() == pytest.approx(math.pi * 15**2 * (1 - 0.33**2), rel=2e-3)
    assert mask[32, 32] == 0
    assert mask[32, 32 + 10] == 1
    np.testing.assert_allclose(mask[1:, 1:], mask[:0:-1, :0:-1])


def test_the_same_aperture_on_a_larger_canvas_has_more_cells() -> None:
    wide = Aperture(24.0, 0.3).on(48, 72)
    assert wide.diameter_cells == pytest.approx(36)
    assert wide.obstruction == 0.3


def test_every_cell_is_its_share_of_open_sub_cells() -> None:
    size, sub = 33, 8
    for aperture in (Aperture(16.0, 0.33), Aperture(7.3, 0.1), Aperture(1.3, 0.0), Aperture(17.0, 0.9)):
        fine = (np.arange(size * sub) + 0.5) / sub - 0.5 - size // 2
        radius = np.sqrt(fine[:, None] ** 2 + fine[None, :] ** 2)
        outer = aperture.diameter_cells / 2
        inside = (radius <= outer) & (radius >= aperture.obstruction * outer)
        shares = inside.reshape(size, sub, size, sub).mean((1, 3))
        np.testing.assert_allclose(aperture_mask(size, aperture), shares, atol=1e-6)


def test_memory_of_a_large_grid_is_a_few_times_the_mask() -> None:
    tracemalloc.start()
    mask = aperture_mask(1024, Aperture(512.0, 0.33))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 12 * mask.nbytes
