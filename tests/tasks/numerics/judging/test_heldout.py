"""Held-out frames prefer the sky they were made from to blurred or sharpened ones."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.fourier.rings import frequencies
from tasks.numerics.judging.heldout import CHUNK, fit, judge
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import Pupil, diffraction_otf, make_pupil, otfs
from tasks.numerics.psf_models.phase_solver import draw_phases
from tasks.numerics.sky.likelihood import chi2

SIZE, MODES, STRENGTH, NOISE = 48, 15, 3.0, 0.5


def sigma() -> Tensor:
    return torch.from_numpy(phase_sigma(MODES, STRENGTH))


def scene(frames: int) -> tuple[Pupil, Tensor, Tensor]:
    """Pupil, spectra of noisy frames through turbulence, spectrum of the sky: a spotted disc."""
    dice = torch.Generator().manual_seed(5)
    pupil = make_pupil(SIZE, Aperture(24.0, 0.3), MODES)
    axis = (torch.arange(SIZE) - SIZE // 2).float()
    disc = (torch.hypot(axis[:, None], axis[None]) < 12).float()
    sky = torch.fft.rfft2(100 * disc * (0.3 + torch.rand(SIZE, SIZE, generator=dice)))
    light = torch.fft.irfft2(otfs(pupil, draw_phases(frames, sigma(), 9)) * sky, s=(SIZE, SIZE))
    return pupil, torch.fft.rfft2(light + NOISE * torch.randn(light.shape, generator=dice)), sky


def test_the_true_sky_is_preferred_to_a_blurred_one() -> None:
    pupil, spectra, sky = scene(6)
    verdict = judge(pupil, spectra, sky, sky * diffraction_otf(pupil) ** 2, STRENGTH, 60)
    assert verdict.frames == 6
    assert verdict.sky < 0.5 * verdict.stack
    assert verdict.sky < 3  # nearly down to the noise
    assert verdict.chi2_per_frame.shape == (2, 6)
    assert np.sort(verdict.chi2_per_frame)[:, 2] == pytest.approx([verdict.sky, verdict.stack])


def test_the_order_of_the_skies_does_not_matter() -> None:
    pupil, spectra, sky = scene(4)
    blurred = sky * diffraction_otf(pupil) ** 2
    one, two = judge(pupil, spectra, sky, blurred, STRENGTH, 30), judge(pupil, spectra, blurred, sky, STRENGTH, 30)
    assert (one.sky, one.stack) == pytest.approx((two.stack, two.sky), rel=1e-4)
    assert one.whiteness < two.whiteness


def test_a_sky_too_sharp_is_not_preferred() -> None:
    """No seeing compensates amplified fine structure."""
    pupil, spectra, sky = scene(4)
    sharper = sky * (1 + 2 * frequencies(SIZE) / 0.5)
    verdict = judge(pupil, spectra, sky, sharper, STRENGTH, 60)
    assert verdict.sky < verdict.stack


def test_frames_are_fitted_independently_in_chunks() -> None:
    pupil, spectra, sky = scene(CHUNK + 2)
    noise = torch.tensor(NOISE**2 * SIZE**2)
    phases = fit(pupil, spectra, sky, noise, sigma(), 60)
    assert phases.shape == (CHUNK + 2, MODES)
    seen = (frequencies(SIZE) < 0.5).float()
    flat = chi2(spectra, otfs(pupil, torch.zeros_like(phases)), sky, noise, seen)
    found = chi2(spectra, otfs(pupil, phases), sky, noise, seen)
    assert (found < 0.2 * flat).all()
    alone = fit(pupil, spectra[-2:], sky, noise, sigma(), 60)
    torch.testing.assert_close(alone, phases[-2:], rtol=1e-2, atol=1e-2)
