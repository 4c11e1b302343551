"""One contract for every PSF model, and the purpose of each."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.fourier.canvas import psf_size
from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.judging.metrics import psnr
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import Pupil, diffraction_otf, make_pupil, otfs, psfs
from tasks.numerics.psf_models.base import Batch, Memory, Plan
from tasks.numerics.psf_models.phase_solver import draw_phases
from tasks.numerics.psf_models.table import PSF_MODELS, misfits
from tasks.numerics.sky.amplitude import SeeingPower, correct_amplitude
from tasks.numerics.sky.half_agreement import HalfSums
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import corner_noise, ring_power_of_frames

SIZE, MODES, STRENGTH = 48, 15, 3.0
APERTURE = Aperture(24.0, 0.3)
PLAN = Plan(modes=MODES, steps=12, rate=0.05, temperature=10.0, seed=1)


def pupil() -> Pupil:
    return make_pupil(SIZE, APERTURE, MODES)


def sky() -> Tensor:
    """(y, x) a spotted disc."""
    axis = (torch.arange(SIZE) - SIZE // 2).float()
    spots = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(5))
    return 100 * (torch.hypot(axis[:, None], axis[None]) < 12) * (0.3 + spots)


def drawn(frames: int) -> Tensor:
    return draw_phases(frames, torch.from_numpy(phase_sigma(MODES, STRENGTH)), 9)


def batch(phases: Tensor, picture: Tensor) -> Batch:
    """Noisy frames of a picture through the given phases, the last sky their mean."""
    light = torch.fft.irfft2(otfs(pupil(), phases) * torch.fft.rfft2(picture), s=(SIZE, SIZE))
    noisy = light + 0.5 * torch.randn(light.shape, generator=torch.Generator().manual_seed(2))
    spectra = torch.fft.rfft2(noisy)
    return Batch(spectra, APERTURE, STRENGTH, corner_noise(spectra, 0.5), None, spectra.mean(0), None)


def stored(memory: Memory) -> Memory:
    """As a part file gives it back."""
    return {name: torch.from_numpy(np.asarray(values.numpy()).copy()) for name, values in memory.items()}


@pytest.fixture(params=PSF_MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_contract_shapes_and_sums(name: str) -> None:
    model, given = PSF_MODELS[name], batch(drawn(10), sky())
    memory = model.begin(given, PLAN)
    assert all(isinstance(values, Tensor) for values in memory.values())
    solved = model.finish(given, PLAN, model.advance(given, PLAN, memory, PLAN.steps))
    assert solved.psfs.shape[0] == 10
    assert torch.isfinite(solved.psfs).all()
    assert solved.sums.power.shape == solved.sums.cross.shape == (SIZE, SIZE // 2 + 1)
    assert solved.sums.frames == 10
    assert (solved.sums.power >= 0).all()
    assert float(solved.sums.power[0, 0]) == pytest.approx(10, rel=1e-3)
    assert float(solved.sums.power.max()) <= 10.01


@pytest.mark.parametrize("size", [SIZE, 160])
def test_contract_transfer_functions_are_those_of_the_sums(name: str, size: int) -> None:
    """On the larger canvas a PSF's square is smaller than it."""
    model, given = PSF_MODELS[name], batch(drawn(3), sky())
    if size > SIZE:
        assert psf_size(size, size / 2, STRENGTH) < size
        spectra = torch.fft.rfft2(torch.rand(3, size, size, generator=torch.Generator().manual_seed(1)))
        given = replace(given, spectra=spectra, sky=spectra.mean(0), aperture=Aperture(size / 2, 0.3))
    solved = model.finish(given, PLAN, model.advance(given, PLAN, model.begin(given, PLAN), 2))
    transfer = model.transfer_functions(solved.psfs, given.aperture, size, given.d_over_r0)
    torch.testing.assert_close(transfer.abs().square().sum(0), solved.sums.power, rtol=1e-3, atol=1e-3)
    wide = model.transfer_functions(solved.psfs, given.aperture.on(size, 2 * size), 2 * size, given.d_over_r0)
    assert wide.shape == (3, 2 * size, size + 1)
    torch.testing.assert_close(wide[:, 0, 0].real, torch.ones(3), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(wide[:, 2, 0].abs(), transfer[:, 1, 0].abs(), rtol=0.05, atol=0.02)


def test_contract_arguments_are_not_changed(name: str) -> None:
    model, given = PSF_MODELS[name], batch(drawn(4), sky())
    spectra, memory = given.spectra.clone(), model.begin(given, PLAN)
    before = stored(memory)
    model.advance(given, PLAN, memory, 2)
    torch.testing.assert_close(given.spectra, spectra, rtol=0, atol=0)
    for key, values in before.items():
        torch.testing.assert_close(memory[key], values, rtol=0, atol=0)


def test_contract_resumed_is_bit_identical(name: str) -> None:
    model, given = PSF_MODELS[name], batch(drawn(5), sky())
    memory = model.begin(given, PLAN)
    for _ in range(3):
        memory = model.advance(given, PLAN, memory, 4)
    uninterrupted = model.finish(given, PLAN, memory)
    memory = model.begin(given, PLAN)
    for _ in range(3):
        memory = stored(model.advance(given, PLAN, stored(memory), 4))
    resumed = model.finish(given, PLAN, stored(memory))
    assert torch.equal(resumed.psfs, uninterrupted.psfs)
    assert torch.equal(resumed.sums.cross, uninterrupted.sums.cross)


def test_segments_of_a_pupil_solve_are_one_solve() -> None:
    """Freeform drops its momentum between segments; the pupil keeps everything."""
    model, given = PSF_MODELS["pupil"], batch(drawn(5), sky())
    once = model.advance(given, PLAN, model.begin(given, PLAN), 12)
    twice = model.advance(given, PLAN, model.advance(given, PLAN, model.begin(given, PLAN), 5), 7)
    for key, values in once.items():
        assert torch.equal(values, twice[key])


def test_seed_draws_the_start() -> None:
    model, given = PSF_MODELS["pupil"], batch(drawn(3), sky())
    one, two, other = (model.begin(given, replace(PLAN, seed=seed))["phases"] for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_freeform_recovers_every_psf_from_the_true_sky() -> None:
    dice = torch.Generator().manual_seed(3)
    stars = torch.zeros(SIZE, SIZE)
    stars[torch.randint(12, 36, (30,), generator=dice), torch.randint(12, 36, (30,), generator=dice)] = 2000.0
    phases = drawn(12)
    given = replace(batch(phases, stars), sky=torch.fft.rfft2(stars))
    plan = replace(PLAN, steps=150)
    model = PSF_MODELS["freeform"]
    found = model.finish(given, plan, model.advance(given, plan, model.begin(given, plan), plan.steps)).psfs
    for one, two in zip(found, psfs(pupil(), phases), strict=True):
        assert float(torch.corrcoef(torch.stack([one.ravel(), two.ravel()]))[0, 1]) > 0.95


def test_one_sharp_frame_among_many_blurred_alike_is_found_and_used() -> None:
    """63 frames with the same blur suggest a soft sky; the single sharp frame must determine it."""
    phases = drawn(1).repeat(64, 1)
    phases[17] = 0
    given, plan = batch(phases, sky()), replace(PLAN, steps=150)
    model = PSF_MODELS["pupil"]
    solved = model.finish(given, plan, model.advance(given, plan, model.begin(given, plan), plan.steps))
    concentration = psfs(pupil(), solved.psfs).square().sum((1, 2))
    assert int(concentration.argmax()) == 17
    assert float(concentration[17]) > 1.2 * float(concentration.median())
    truth = torch.fft.irfft2(torch.fft.rfft2(sky()) * diffraction_otf(pupil()), s=(SIZE, SIZE))
    mean = torch.fft.irfft2(given.spectra.mean(0), s=(SIZE, SIZE))
    nothing = Sums(torch.zeros_like(solved.sums.power), torch.zeros_like(solved.sums.cross), 0)
    unseen = SeeingPower(ring_power_of_frames(given.spectra), np.ones(len(RINGS)), np.ones(len(RINGS)), weight=0.0)
    found = correct_amplitude(HalfSums(solved.sums, nothing, 0.0, given.noise), unseen, APERTURE).sky
    assert psnr(truth.numpy(), found.numpy()) > psnr(truth.numpy(), mean.numpy()) + 2.5


def test_a_frame_with_light_that_the_sky_lacks_has_a_large_misfit() -> None:
    given = batch(drawn(10), sky())
    spectra = given.spectra.clone()
    spot = torch.zeros(SIZE, SIZE)
    spot[20:24, 8:40] = 0.05 * float(torch.fft.irfft2(spectra[0], s=(SIZE, SIZE)).max())
    spectra[4] += torch.fft.rfft2(spot)
    given = replace(given, spectra=spectra)
    memory = {**PSF_MODELS["pupil"].begin(given, PLAN), "phases": drawn(10)}
    left = misfits(PSF_MODELS["pupil"], given, PSF_MODELS["pupil"].finish(given, PLAN, memory))
    others = torch.cat([left[:4], left[5:]])
    assert len(others) == 9
    assert 0.5 < others.median() < 1.5
    assert left[4] > 2 * others.max()
