"""Residuals against cases whose answer is known: a camera's noise, and a model that fails in one place."""

import numpy as np
import pytest
import torch

from tasks.numerics.judging.residuals import misfit, noise_line
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import make_pupil, otfs
from tasks.numerics.psf_models.phase_solver import draw_phases

SIZE, MODES = 64, 28


def test_noise_line_is_that_of_a_camera() -> None:
    """A bright disc on a dark sky: the disc's noise must not be attributed to the background."""
    dice = np.random.default_rng(2)
    y, x = np.mgrid[-48:48, -48:48]
    light = 2000 / (1 + np.exp((np.hypot(y, x) - 25) / 3))
    frames = (dice.poisson(light, (8, 96, 96)) * 2.0 + dice.normal(100, 5, (8, 96, 96))).astype(np.float32)
    gain, read = noise_line(frames)
    assert gain == pytest.approx(2, rel=0.05)
    assert read + gain * 100 == pytest.approx(25, abs=25)


def test_noise_without_light_is_flat() -> None:
    frames = np.random.default_rng(3).normal(0, 3, (4, 64, 64)).astype(np.float32)
    gain, read = noise_line(frames)
    assert read + gain * frames.mean() == pytest.approx(9, rel=0.1)


def test_misfit_is_one_where_the_model_holds_and_more_where_it_does_not() -> None:
    dice = np.random.default_rng(4)
    sky = dice.uniform(0, 50, (SIZE, SIZE)).astype(np.float32)
    transfer = otfs(
        make_pupil(SIZE, Aperture(32.0, 0.3), MODES), draw_phases(12, torch.from_numpy(phase_sigma(MODES, 4.0)), 3)
    )
    spectrum = torch.fft.rfft2(torch.from_numpy(sky))
    frames = torch.fft.irfft2(transfer * spectrum, s=(SIZE, SIZE)).numpy() + dice.normal(0, 2, (12, SIZE, SIZE))
    frames[:, 20:24, 30:34] += 8
    taper = np.ones((SIZE, SIZE), np.float32)
    taper[:, :5] = 0.2
    blocks = [(frames[i : i + 6].astype(np.float32), transfer[i : i + 6]) for i in (0, 6)]
    found = misfit(blocks, spectrum, taper, np.full((SIZE, SIZE), 4, np.float32))
    assert np.isnan(found[:, :5]).all()
    assert np.median(found[:, 5:]) == pytest.approx(1, abs=0.1)
    assert found[20:24, 30:34].mean() == pytest.approx(1 + 8**2 / 4, rel=0.1)
