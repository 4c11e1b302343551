"""The delivered sky: its flux is the frames', its rings hold the power that frames and air say, and no made-up light."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.fourier.rings import RINGS, ring_mean, rings
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil, otfs
from tasks.numerics.psf_models.phase_solver import draw_phases
from tasks.numerics.sky.amplitude import MIN_SEEING_WEIGHT, SeeingPower, correct_amplitude, ring_gain, seeing_weight
from tasks.numerics.sky.half_agreement import HalfSums
from tasks.numerics.sky.likelihood import Sums, sums
from tasks.numerics.sky.wiener import floor_of, ring_power, ring_power_of_frames

SIZE, MODES, FRAMES, CUTOFF = 48, 15, 24, 0.5
NOISE = 0.5**2 * SIZE**2
APERTURE = Aperture(24.0, 0.3)
NUMBER = rings(SIZE)
SURE = np.full(len(RINGS), 0.01)


@pytest.fixture(scope="module")
def scene() -> tuple[HalfSums, Tensor, SeeingPower]:
    """Sums with the true PSFs, the sky's spectrum, and the true light and <|H|^2>."""
    dice = torch.Generator().manual_seed(5)
    pupil = make_pupil(SIZE, APERTURE, MODES)
    axis = (torch.arange(SIZE) - SIZE // 2).float()
    disc = (torch.hypot(axis[:, None], axis[None]) < 12).float()
    sky = torch.fft.rfft2(100 * disc * (0.3 + torch.rand(SIZE, SIZE, generator=dice)))
    sigma = torch.from_numpy(phase_sigma(MODES, 3.0))
    transfer = otfs(pupil, draw_phases(FRAMES, sigma, 9))
    light = torch.fft.irfft2(transfer * sky, s=(SIZE, SIZE))
    spectra = torch.fft.rfft2(light + 0.5 * torch.randn(light.shape, generator=dice))
    total = sums(spectra, transfer)
    curve = (ring_mean(total.power, NUMBER) / FRAMES).numpy()
    power = np.exp(np.interp(RINGS * CUTOFF * SIZE, np.arange(len(curve)), np.log(np.maximum(curve, 1e-9))))
    half = sums(spectra[::2], transfer[::2])
    return (
        HalfSums(total, half, 0.0, NOISE),
        sky,
        SeeingPower(ring_power_of_frames(spectra), power.astype(np.float64), SURE, 1.0),
    )


def wandered(found: HalfSums, wrong: Tensor) -> HalfSums:
    """The sums as PSFs would give them that are all wrong by the same ring filter, which no frame objects to."""

    def filtered(part: Sums) -> Sums:
        return Sums(part.power * wrong[NUMBER] ** 2, part.cross * wrong[NUMBER], part.frames)

    return replace(found, total=filtered(found.total), half=filtered(found.half))


def slope(strength: float) -> Tensor:
    """A ring filter (ring,): one on the coarsest rings, exp(strength) at the cut-off."""
    ring = torch.arange(int(NUMBER.max()) + 1)
    return torch.exp(strength * ((ring - 3) / 21).clamp(0, 1))


def gain_of(found: HalfSums, seeing: SeeingPower) -> Tensor:
    """The gain (ring,) that `deliver` takes."""
    floor = floor_of(ring_power(found.total, found.noise), found.noise, SIZE)
    return ring_gain(found, floor, seeing, CUTOFF)


def clear(sky: Tensor) -> Tensor:
    """The sky (y, x) as the telescope shows it without seeing."""
    return torch.fft.irfft2(sky * diffraction_otf(make_pupil(SIZE, APERTURE, 3)), s=(SIZE, SIZE))


def error(found: HalfSums, sky: Tensor, seeing: SeeingPower) -> float:
    """Rms error of the delivered sky over the brightest light."""
    truth = clear(sky)
    return float((correct_amplitude(found, seeing, APERTURE).sky - truth).square().mean().sqrt() / truth.max())


def test_right_sums_are_left_alone(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, sky, seeing = scene
    np.testing.assert_allclose(gain_of(found, seeing)[:18], 1, atol=0.1)
    assert error(found, sky, seeing) < 0.02


@pytest.mark.parametrize("strength", [-1.0, 1.0])
def test_a_wandered_solve_gives_the_right_sky_by_the_air(
    scene: tuple[HalfSums, Tensor, SeeingPower], strength: float
) -> None:
    found, sky, seeing = scene
    wrong = wandered(found, slope(strength))
    ratio = gain_of(wrong, seeing) / gain_of(found, seeing)
    np.testing.assert_allclose(ratio[3:18], slope(strength)[3:18], rtol=0.08)
    unaware, aware = (error(wrong, sky, replace(seeing, weight=weight)) for weight in (0.0, 1.0))
    assert aware < 0.5 * unaware


@pytest.mark.parametrize("apart", [0.2, 0.5, 1.0, 2.0])
def test_the_air_is_believed_as_far_as_it_is_sure(apart: float) -> None:
    curve, unsure = torch.full((20,), apart), torch.full((20,), 0.4)
    assert seeing_weight(curve, unsure) == pytest.approx(max(MIN_SEEING_WEIGHT, 1 - (0.4 / apart) ** 2))
    assert seeing_weight(curve, 0.01 * unsure) > 0.99
    assert seeing_weight(curve[:0], unsure[:0]) == MIN_SEEING_WEIGHT


def test_an_unsure_air_changes_less(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    wrong = wandered(found, slope(1.0))
    sure, unsure = (gain_of(wrong, replace(seeing, log_power_sigma=np.full(len(RINGS), s))) for s in (0.01, 1.0))
    assert (sure[6:15] > unsure[6:15] * 1.02).all()


def test_the_units_of_light_do_not_say_who_is_right(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    wrong, doubtful = wandered(found, slope(1.0)), replace(seeing, log_power_sigma=np.full(len(RINGS), 0.3))
    brighter = replace(doubtful, frame_power=1.5 * (seeing.frame_power - NOISE) + NOISE)
    np.testing.assert_allclose(gain_of(wrong, brighter)[:18], gain_of(wrong, doubtful)[:18], rtol=1e-3)


def test_share_says_how_far_the_air_is_believed(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    wrong = wandered(found, slope(0.5))
    none, half, whole = (gain_of(wrong, replace(seeing, weight=weight)) for weight in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(none[3:15], 1, atol=0.1)
    np.testing.assert_allclose(half[3:15], (none * whole).sqrt()[3:15], rtol=0.03)


def test_no_ring_is_changed_beyond_reason(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    for scale in (1e-4, 1e4):
        gain = gain_of(found, replace(seeing, mean_power=seeing.mean_power * scale ** (RINGS > 0.4)))
        assert 0.2 < float(gain[:20].min()) <= float(gain.max()) < 5
        assert float(gain[0]) == 1


def test_light_that_one_half_made_up_is_not_shown(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, sky, seeing = scene
    dice = torch.Generator().manual_seed(8)
    fancy = 100 * torch.fft.rfft2(torch.randn(SIZE, SIZE, generator=dice)) * (NUMBER > 6)
    parts = [found.half, found.total - found.half]
    bent = [Sums(p.power, p.cross + sign * p.power * fancy, p.frames) for p, sign in zip(parts, (1, 0), strict=True)]
    made_up = replace(found, total=bent[0] + bent[1], half=bent[0])
    lone = replace(made_up, half=Sums(0 * fancy.real, 0 * fancy, 0))
    assert error(made_up, sky, seeing) < 0.8 * error(lone, sky, seeing)


def test_nothing_is_shown_beyond_the_cut_off(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    assert (gain_of(found, seeing)[26:] == 0).all()


def test_flux_is_the_frames(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, sky, seeing = scene
    given = correct_amplitude(found, seeing, APERTURE)
    assert float(given.sky.sum()) == pytest.approx(float(sky[0, 0].real), rel=2e-3)
    assert given.sky.shape == (SIZE, SIZE)
    assert given.spectrum.shape == (SIZE, SIZE // 2 + 1)
    assert (given.sky_power > 0).all()
