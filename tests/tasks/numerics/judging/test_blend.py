"""A blend is the sky up to the last ring that held-out frames support, and the stack beyond."""

import numpy as np
import pytest
import torch

from tasks.numerics.fourier.rings import frequencies, rings
from tasks.numerics.judging.blend import INNER_RINGS, believed_rings, blended, ring_products, ring_weights
from tasks.numerics.judging.heldout import HeldoutFrames
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import make_pupil, otfs
from tasks.numerics.psf_models.phase_solver import draw_phases

SIZE, MODES, STRENGTH, NOISE = 64, 15, 2.0, 0.3


def waves(cycles: int) -> np.ndarray:
    return np.float32(np.cos(2 * np.pi * cycles * np.arange(SIZE) / SIZE) * np.ones((SIZE, 1)))


def test_believed_rings_come_from_the_sky_and_the_others_from_the_stack() -> None:
    stack, sky = 5 + 0 * waves(1), 5 + waves(4) + waves(20)
    np.testing.assert_allclose(blended(stack, sky, 12, SIZE), 5 + waves(4), atol=1e-4)
    np.testing.assert_allclose(blended(stack, sky, 40, SIZE), sky, atol=1e-4)
    np.testing.assert_allclose(blended(stack, sky, 0, SIZE), stack, atol=1e-4)


def test_a_blend_of_an_oblong_frame_counts_the_rings_of_the_canvas() -> None:
    stack = np.zeros((48, 64), np.float32)
    sky = stack + waves(20)[:48]
    np.testing.assert_allclose(blended(stack, sky, 12, SIZE), stack, atol=1e-4)
    np.testing.assert_allclose(blended(stack, sky, 30, SIZE), sky, atol=1e-4)


def test_the_edge_is_smooth() -> None:
    weights = ring_weights(10, np.arange(16.0))
    assert weights[:8].tolist() == [1.0] * 8
    assert weights[10:].tolist() == [0.0] * 6
    assert (np.diff(weights) <= 0).all()
    assert 0 < weights[9] < weights[8] < 1


def test_rings_are_believed_up_to_the_first_that_is_less_than_half_as_strong() -> None:
    power = torch.ones(40)
    cross = torch.where(torch.arange(40) < 20, 0.9, 0.2)
    assert believed_rings(cross, power) == 20
    assert believed_rings(torch.ones(40), power) == 40
    assert believed_rings(torch.zeros(40), power) == INNER_RINGS
    lucky = cross.clone()
    lucky[10] = 0.1
    assert believed_rings(lucky, power) == 20, "one ring by itself scatters"


def test_fabricated_rings_are_told_from_true_ones() -> None:
    """A sky whose fine rings are noise predicts nothing in coefficients from which its PSF was not fitted."""
    dice = torch.Generator().manual_seed(5)
    pupil = make_pupil(SIZE, Aperture(32.0, 0.3), MODES)
    axis = (torch.arange(SIZE) - SIZE // 2).float()
    disc = (torch.hypot(axis[:, None], axis[None]) < 18).float()
    sky = torch.fft.rfft2(100 * disc * (0.3 + torch.rand(SIZE, SIZE, generator=dice)))
    sigma = torch.from_numpy(phase_sigma(MODES, STRENGTH))
    light = torch.fft.irfft2(otfs(pupil, draw_phases(8, sigma, 9)) * sky, s=(SIZE, SIZE))
    spectra = torch.fft.rfft2(light + NOISE * torch.randn(light.shape, generator=dice))
    other = torch.fft.rfft2(100 * disc * (0.3 + torch.rand(SIZE, SIZE, generator=dice)))
    false = torch.where(frequencies(SIZE) * SIZE < 14, sky, other)
    held = HeldoutFrames(pupil, spectra, NOISE**2 * SIZE**2)
    beta = {}
    for name, each in (("true", sky), ("false", false)):
        cross, power = ring_products(held, each, STRENGTH, 60)
        beta[name] = (cross / power.clamp_min(1e-30)).numpy()
        assert len(cross) == int(rings(SIZE).max()) + 1
    assert np.median(beta["true"][8:20]) == pytest.approx(1, abs=0.25)
    assert abs(np.median(beta["false"][16:24])) < 0.3
