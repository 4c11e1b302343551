"""A joint solve deconvolves the seeing, and can be stopped and resumed."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import Pupil, diffraction_otf, make_pupil, otfs
from tasks.numerics.psf_models.phase_solver import (
    Schedule,
    State,
    advance,
    begin,
    draw_phases,
    temperature,
)
from tasks.numerics.sky.likelihood import Problem, sums
from tasks.numerics.sky.wiener import corner_noise, floor_of, power_law, wiener

SIZE, MODES, STRENGTH = 48, 20, 3.0


def sigma() -> Tensor:
    return torch.from_numpy(phase_sigma(MODES, STRENGTH))


def capture(frames: int) -> tuple[Pupil, Tensor, Tensor, Tensor]:
    """Pupil, true phases, spectra, true sky (y, x): a disc with spots."""
    dice = torch.Generator().manual_seed(5)
    pupil = make_pupil(SIZE, Aperture(24.0, 0.3), MODES)
    axis = torch.arange(SIZE) - SIZE // 2
    disc = (torch.hypot(axis[:, None].float(), axis[None, :].float()) < 12).float()
    sky = 100 * disc * (0.5 + torch.rand(SIZE, SIZE, generator=dice))
    truth = draw_phases(frames, sigma(), 9)
    clean = torch.fft.irfft2(otfs(pupil, truth) * torch.fft.rfft2(sky), s=(SIZE, SIZE))
    return pupil, truth, torch.fft.rfft2(clean + 0.2 * torch.randn(clean.shape, generator=dice)), sky


def solve(problem: Problem, state: State, noise: float, schedule: Schedule) -> State:
    """Run what is left of the schedule."""
    while state.step < schedule.steps:
        state = advance(problem, state, sigma(), noise, schedule)
    return state


def likeness(one: Tensor, two: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.ravel(), two.ravel()]))[0, 1])


def test_solve_from_scratch_is_sharper_than_the_mean() -> None:
    pupil, _, spectra, sky = capture(24)
    noise = corner_noise(spectra, 0.5)
    problem = Problem(pupil, spectra)
    found = solve(problem, begin(draw_phases(24, sigma(), 0), power_law(spectra.mean(0))), noise, Schedule(steps=150))
    spectrum = wiener(sums(spectra, otfs(pupil, found.phases)), floor_of(found.sky_power, noise, SIZE))
    image = torch.fft.irfft2(spectrum * diffraction_otf(pupil), s=(SIZE, SIZE))
    clear = torch.fft.irfft2(torch.fft.rfft2(sky) * diffraction_otf(pupil), s=(SIZE, SIZE))
    mean = torch.fft.irfft2(spectra.mean(0), s=(SIZE, SIZE))
    assert 1 - likeness(image, clear) < 0.25 * (1 - likeness(mean, clear))
    assert found.phases[:, :2].mean(0).abs().max() < 1e-4
    assert image.sum() == pytest.approx(float(mean.sum()), rel=1e-4)


def test_a_batch_against_the_sums_of_others_finds_its_psfs() -> None:
    pupil, truth, spectra, _ = capture(20)
    noise = corner_noise(spectra, 0.5)
    held = sums(spectra[:16], otfs(pupil, truth[:16]))
    problem = Problem(pupil, spectra[16:], held)
    schedule = Schedule(steps=150, hot=30.0)
    found = solve(problem, begin(0.01 * draw_phases(4, sigma(), 1), power_law(spectra[16:].mean(0))), noise, schedule)
    right, mine = otfs(pupil, truth[16:]), otfs(pupil, found.phases)
    error = ((mine - right).abs() ** 2).sum() / (right.abs() ** 2).sum()
    blind = ((diffraction_otf(pupil) - right).abs() ** 2).sum() / (right.abs() ** 2).sum()
    assert error < 0.3 * blind


def test_a_resumed_solve_has_the_same_result() -> None:
    pupil, _, spectra, _ = capture(6)
    problem, schedule = Problem(pupil, spectra), Schedule(steps=12, renew=5)
    first = begin(draw_phases(6, sigma(), 2), power_law(spectra.mean(0)))
    whole = solve(problem, first, 50.0, schedule)
    half = first
    for _ in range(7):
        half = advance(problem, half, sigma(), 50.0, schedule)
    again = solve(problem, replace(half, phases=half.phases.clone()), 50.0, schedule)
    assert torch.equal(whole.phases, again.phases)
    assert torch.equal(whole.sky_power, again.sky_power)


def test_same_seed_same_start() -> None:
    assert torch.equal(draw_phases(3, sigma(), 4), draw_phases(3, sigma(), 4))
    assert not torch.equal(draw_phases(3, sigma(), 4), draw_phases(3, sigma(), 5))


def test_the_solve_cools_to_one() -> None:
    schedule = Schedule(steps=100, hot=1000.0, cooling=0.6)
    assert temperature(schedule, 0) == pytest.approx(1000)
    assert temperature(schedule, 30) == pytest.approx(1000**0.5)
    assert temperature(schedule, 60) == temperature(schedule, 99) == 1.0


def test_held_prior_stays_put() -> None:
    pupil, _, spectra, _ = capture(4)
    problem = Problem(pupil, spectra)
    first = begin(draw_phases(4, sigma(), 2), power_law(spectra.mean(0)))
    found = solve(problem, first, 50.0, Schedule(steps=3, renew=0))
    assert torch.equal(found.sky_power, first.sky_power)


def test_the_prior_is_flattened_while_the_temperature_is_high() -> None:
    """Fine rings may be brighter than estimated until the temperature is one."""
    pupil, _, spectra, _ = capture(6)
    problem, first = Problem(pupil, spectra), begin(draw_phases(6, sigma(), 2), power_law(spectra.mean(0)))
    hot, cold = (
        solve(problem, first, 50.0, Schedule(steps=3, rate=0.0, hot=heat, cooling=1.0, renew=3)).sky_power
        for heat in (1.0001, 1.0)
    )
    assert (hot[18:23] > 3 * cold[18:23]).all()
    assert hot[1] < cold[1]
