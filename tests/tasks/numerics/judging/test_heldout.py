"""The judge: unseen frames prefer the sky they were made from to any blurred one."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.judging.heldout import CHUNK, fit, judge
from tasks.numerics.optics.kolmogorov import noll_variances
from tasks.numerics.optics.pupil import Pupil, frequencies, otfs, perfect, pupil
from tasks.numerics.psf_models.phase_solver import draw
from tasks.numerics.sky.likelihood import chi2

SIZE, MODES, STRENGTH, NOISE = 48, 15, 3.0, 0.5


def spread() -> Tensor:
    return torch.from_numpy(np.sqrt(noll_variances(MODES) * STRENGTH ** (5 / 3))).float()


def scene(frames: int) -> tuple[Pupil, Tensor, Tensor]:
    """Pupil, spectra of noisy frames through air, spectrum of the sky: a spotted disc."""
    dice = torch.Generator().manual_seed(5)
    eye = pupil(SIZE, 24.0, 0.3, MODES)
    axis = (torch.arange(SIZE) - SIZE // 2).float()
    disc = (torch.hypot(axis[:, None], axis[None]) < 12).float()
    sky = torch.fft.rfft2(100 * disc * (0.3 + torch.rand(SIZE, SIZE, generator=dice)))
    light = torch.fft.irfft2(otfs(eye, draw(frames, spread(), 9)) * sky, s=(SIZE, SIZE))
    return eye, torch.fft.rfft2(light + NOISE * torch.randn(light.shape, generator=dice)), sky


def test_the_true_sky_is_preferred_to_a_blurred_one() -> None:
    eye, spectra, sky = scene(6)
    verdict = judge(eye, spectra, sky, sky * perfect(eye) ** 2, STRENGTH, 60)
    assert verdict.frames == 6
    assert verdict.sky < 0.5 * verdict.stack
    assert verdict.sky < 3  # nearly down to the noise
    assert verdict.each.shape == (2, 6)
    assert np.sort(verdict.each)[:, 2] == pytest.approx([verdict.sky, verdict.stack])


def test_the_order_of_the_skies_does_not_matter() -> None:
    eye, spectra, sky = scene(4)
    blurred = sky * perfect(eye) ** 2
    one, two = judge(eye, spectra, sky, blurred, STRENGTH, 30), judge(eye, spectra, blurred, sky, STRENGTH, 30)
    assert (one.sky, one.stack) == pytest.approx((two.stack, two.sky), rel=1e-4)
    assert one.whiteness < two.whiteness


def test_a_sky_too_sharp_is_not_preferred() -> None:
    """Amplified fine structure cannot be explained away by any air."""
    eye, spectra, sky = scene(4)
    sharper = sky * (1 + 2 * frequencies(SIZE) / 0.5)
    verdict = judge(eye, spectra, sky, sharper, STRENGTH, 60)
    assert verdict.sky < verdict.stack


def test_fit_explains_frames_chunk_by_chunk() -> None:
    eye, spectra, sky = scene(CHUNK + 2)
    noise = torch.tensor(NOISE**2 * SIZE**2)
    phases = fit(eye, spectra, sky, noise, spread(), 60)
    assert phases.shape == (CHUNK + 2, MODES)
    seen = (frequencies(SIZE) < 0.5).float()
    flat = chi2(spectra, otfs(eye, torch.zeros_like(phases)), sky, noise, seen)
    found = chi2(spectra, otfs(eye, phases), sky, noise, seen)
    assert (found < 0.2 * flat).all()
    alone = fit(eye, spectra[-2:], sky, noise, spread(), 60)
    torch.testing.assert_close(alone, phases[-2:], rtol=1e-2, atol=1e-2)  # frames do not know of each other
