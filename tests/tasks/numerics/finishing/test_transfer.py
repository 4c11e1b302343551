"""Effective transfer functions: what air, registration and the solve leave of the light's spectrum."""

import numpy as np
import pytest

from tasks.numerics.finishing.transfer import Transfer, blended_transfer, short_exposure, width_of

F = np.linspace(0, 0.71, 200)


def test_a_gaussian_has_its_width() -> None:
    f = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None])
    sigma = 2.5
    assert width_of(np.exp(-2 * (np.pi * sigma * f) ** 2).astype(np.float32)) == pytest.approx(2.355 * sigma, rel=0.02)
    assert width_of(np.zeros((128, 65), np.float32)) == 128


def test_stronger_air_and_jitter_keep_less() -> None:
    calm, rough = (short_exposure(F / 0.4, F, strength, 0.0) for strength in (2.0, 6.0))
    assert calm[0] == rough[0] == 1
    assert (rough[1:100] < calm[1:100]).all()
    assert (short_exposure(F / 0.4, F, 2.0, 0.5)[1:] < calm[1:]).all()
    assert short_exposure(np.ones(1), np.ones(1) * 0.4, 6.0, 0.0) == 1, "at the cut-off without tilt, as Fried says"


def test_a_blend_is_sky_below_and_stack_above() -> None:
    sky, stack = np.full(4, 0.9), np.full(4, 0.1)
    assert np.allclose(blended_transfer(sky, stack, np.array([1, 1, 0.5, 0])), [0.9, 0.9, 0.5, 0.1])


def test_curves_on_the_grid_of_an_oblong_picture() -> None:
    telescope = np.clip(1 - F / 0.4, 0, 1)
    transfer = Transfer(F, telescope, telescope * np.exp(-((F / 0.2) ** 2)))
    grid = transfer.on(transfer.telescope, (40, 62))
    assert grid.shape == (40, 32)
    assert grid[0, 0] == 1
    assert grid[20, 31] == 0
    assert transfer.fwhm_px > Transfer(F, telescope, telescope).fwhm_px
