"""Held-out frames prefer the sky they were made from to blurred or sharpened ones."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.fourier.rings import frequencies
from tasks.numerics.fourier.sampling import FULL, Sampling
from tasks.numerics.judging.heldout import HeldoutFit, Verdict, fit, fit_frames, judging_noise, verdict_of
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.propagation import CHUNK
from tasks.numerics.optics.pupil import Pupil, diffraction_otf, make_pupil, otfs
from tasks.numerics.psf_models.phase_solver import draw_phases
from tasks.numerics.sky.likelihood import chi2
from tasks.numerics.sky.wiener import corner_noise

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


def judge(pupil: Pupil, spectra: Tensor, sky: Tensor, other: Tensor, steps: int, parts: int = 1) -> Verdict:
    """The verdict on two skies, the frames fitted in so many parts."""
    noise = corner_noise(spectra, pupil.cutoff)
    fits = [fit_frames(pupil, part, (sky, other), noise, STRENGTH, steps) for part in spectra.tensor_split(parts)]
    return verdict_of(fits, pupil.cutoff)


def test_the_true_sky_is_preferred_to_a_blurred_one() -> None:
    pupil, spectra, sky = scene(6)
    verdict = judge(pupil, spectra, sky, sky * diffraction_otf(pupil) ** 2, 60)
    assert verdict.frames == 6
    assert verdict.sky < 0.5 * verdict.stack
    assert verdict.sky < 3  # nearly down to the noise
    assert verdict.chi2_per_frame.shape == (2, 6)
    assert np.sort(verdict.chi2_per_frame)[:, 2] == pytest.approx([verdict.sky, verdict.stack])


def test_the_order_of_the_skies_does_not_matter() -> None:
    pupil, spectra, sky = scene(4)
    blurred = sky * diffraction_otf(pupil) ** 2
    one, two = judge(pupil, spectra, sky, blurred, 30), judge(pupil, spectra, blurred, sky, 30)
    assert (one.sky, one.stack) == pytest.approx((two.stack, two.sky), rel=1e-4)
    assert one.whiteness < two.whiteness


@pytest.mark.parametrize("parts", [2, 5])
def test_frames_fitted_in_parts_give_the_verdict_of_all(parts: int) -> None:
    """Without a step, as rounding decides the first one: at flat phases the gradient of even modes is nearly zero."""
    pupil, spectra, sky = scene(5)
    blurred = sky * diffraction_otf(pupil) ** 2
    whole, divided = (judge(pupil, spectra, sky, blurred, 0, count) for count in (1, parts))
    assert (divided.frames, divided.prefers_sky) == (whole.frames, whole.prefers_sky)
    assert divided.frames == 5
    assert divided.whiteness == pytest.approx(whole.whiteness, rel=1e-4)
    np.testing.assert_allclose(divided.chi2_per_frame, whole.chi2_per_frame, rtol=1e-4)


def test_a_sky_too_sharp_is_not_preferred() -> None:
    """No seeing compensates amplified fine structure."""
    pupil, spectra, sky = scene(4)
    sharper = sky * (1 + 2 * frequencies(SIZE) / 0.5)
    verdict = judge(pupil, spectra, sky, sharper, 60)
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


def verdict(first: list[float], second: list[float]) -> Verdict:
    """The verdict on frames that two skies leave with these residuals."""
    return verdict_of([HeldoutFit(torch.tensor([first, second]), torch.ones(SIZE, SIZE // 2 + 1))], 0.5)


def test_a_sky_is_preferred_only_by_more_than_chance() -> None:
    scattered = [1.0, 1.6, 0.7, 1.4, 0.8]
    assert verdict([1.0] * 5, [1.5, 1.6, 1.4, 1.5, 1.6]).prefers_sky
    assert not verdict([1.5, 1.6, 1.4, 1.5, 1.6], [1.0] * 5).prefers_sky
    assert not verdict([1.0] * 5, scattered).prefers_sky
    assert not verdict([1.0] * 5, [1.0] * 5).prefers_sky
    assert not verdict([1.0, float("nan")], [2.0, 2.0]).prefers_sky


def test_few_frames_must_differ_by_more() -> None:
    """Two frames that agree by accident show no scatter: a hundredth of the residual is the least error."""
    assert not verdict([1.0, 1.0], [1.01, 1.01]).prefers_sky
    assert verdict([1.0, 1.0], [1.05, 1.05]).prefers_sky


def test_one_stuck_frame_does_not_decide() -> None:
    assert verdict([1.0, 1.0, 90.0, 1.0, 1.1], [2.0, 2.1, 2.0, 2.0, 2.0]).prefers_sky


def test_noise_alone_is_white() -> None:
    assert verdict([1.0], [1.0]).whiteness == pytest.approx(0, abs=1e-6)


def test_aliased_light_does_not_count_as_noise() -> None:
    assert judging_noise(2.0, 1.5, 0.1, FULL) == 2.0  # the corners are dark: what they hold is noise
    aliased = Sampling(2, ((0, 0),))
    assert judging_noise(2.0, 1.5, 0.1, aliased) == 1.5
    assert judging_noise(2.0, 1.5, 1.8, aliased) == 1.8  # rounding leaves no less
    assert judging_noise(1.2, 1.5, 0.1, aliased) == 1.2
