"""The critic's numbers against cases whose answer is known: perfect PSFs, drawn air, known noise, independent halves."""

import numpy as np
import pytest
import torch

from tasks.numerics.judging.residuals import FINE, flawless, misfit, noise_line, portraits, strengths
from tasks.numerics.optics.kolmogorov import noll_variances
from tasks.numerics.optics.pupil import otfs, psfs, pupil
from tasks.numerics.psf_models.phase_solver import draw

EYE, SIZE, MODES = (32.0, 0.3), 64, 28


def drawn(d_over_r0: float, count: int = 12) -> np.ndarray:
    spread = torch.from_numpy(np.sqrt(noll_variances(MODES) * d_over_r0 ** (5 / 3))).float()
    return draw(count, spread, 3).numpy()


def test_a_flat_phase_has_strehl_one_wherever_it_points() -> None:
    phases = np.zeros((2, MODES), np.float32)
    phases[1, :2] = (2.0, -1.5)  # tip and tilt
    shapes = portraits("pupil", phases, EYE, 96)
    assert shapes.max(axis=(1, 2)) == pytest.approx(1.0)
    assert [np.unravel_index(int(s.argmax()), s.shape) for s in shapes] == [(48, 48), (48, 48)]
    np.testing.assert_allclose(flawless(EYE, SIZE, 96, fine=True), shapes[0], atol=1e-5)


def test_strehl_of_small_phases_follows_marechal() -> None:
    phases = np.zeros((1, MODES), np.float32)
    phases[0, 7] = 0.4  # rad rms
    assert portraits("pupil", phases, EYE, 32 * FINE).max() == pytest.approx(np.exp(-(0.4**2)), abs=0.01)


def test_pixels_and_phases_tell_the_same_strehl() -> None:
    phases = drawn(3.0)
    phases[:, :2] = 0
    pixels = psfs(pupil(SIZE, *EYE, MODES), torch.from_numpy(phases)).numpy()
    fine, coarse = (portraits(m, f, EYE, 96).max(axis=(1, 2)) for m, f in (("pupil", phases), ("freeform", pixels)))
    assert (coarse < fine * 1.1).all(), "a peak between two pixels is seen lower, not higher"
    assert (coarse > 0.6 * fine).all()
    assert flawless(EYE, SIZE, 96, fine=False).max() == pytest.approx(1.0)
    assert flawless(EYE, SIZE, 96, fine=False).shape == (SIZE, SIZE)


@pytest.mark.parametrize("strength", [2.0, 8.0])
def test_strength_of_drawn_air_is_found(strength: float) -> None:
    assert np.mean(strengths(drawn(strength, 60))) == pytest.approx(strength, rel=0.15)


def test_tilt_alone_tells_nothing_of_the_air() -> None:
    assert np.isnan(strengths(np.ones((3, 2), np.float32))).all()


def test_noise_line_is_that_of_a_camera() -> None:
    """A bright disc on a dark sky: its noise must not be found in the dark."""
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
    transfer = otfs(pupil(SIZE, *EYE, MODES), torch.from_numpy(drawn(4.0)))
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
