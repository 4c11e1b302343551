"""The delivered sky: its flux is the frames', its rings hold the power that frames and air say, and no made-up light."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.optics.kolmogorov import noll_variances
from tasks.numerics.optics.pupil import otfs, perfect, pupil, ring_mean, rings
from tasks.numerics.psf_models.phase_solver import draw
from tasks.numerics.seeing.speckle_transfer import RINGS
from tasks.numerics.sky.amplitude import AT_LEAST, Air, belief, deliver, ring_gain
from tasks.numerics.sky.half_agreement import Halves
from tasks.numerics.sky.likelihood import Sums, sums
from tasks.numerics.sky.wiener import floor_of, ring_light, ring_power

SIZE, MODES, FRAMES, CUTOFF = 48, 15, 24, 0.5
NOISE = 0.5**2 * SIZE**2
EYE = (24.0, 0.3)
NUMBER = rings(SIZE)
SURE = np.full(len(RINGS), 0.01)


@pytest.fixture(scope="module")
def scene() -> tuple[Halves, Tensor, Air]:
    """Sums with the true PSFs, the sky's spectrum, and the true light and <|H|^2>."""
    dice = torch.Generator().manual_seed(5)
    eye = pupil(SIZE, *EYE, MODES)
    axis = (torch.arange(SIZE) - SIZE // 2).float()
    disc = (torch.hypot(axis[:, None], axis[None]) < 12).float()
    sky = torch.fft.rfft2(100 * disc * (0.3 + torch.rand(SIZE, SIZE, generator=dice)))
    spread = torch.from_numpy(np.sqrt(noll_variances(MODES) * 3.0 ** (5 / 3))).float()
    transfer = otfs(eye, draw(FRAMES, spread, 9))
    light = torch.fft.irfft2(transfer * sky, s=(SIZE, SIZE))
    spectra = torch.fft.rfft2(light + 0.5 * torch.randn(light.shape, generator=dice))
    total = sums(spectra, transfer)
    curve = (ring_mean(total.power, NUMBER) / FRAMES).numpy()
    power = np.exp(np.interp(RINGS * CUTOFF * SIZE, np.arange(len(curve)), np.log(np.maximum(curve, 1e-9))))
    half = sums(spectra[::2], transfer[::2])
    return Halves(total, half, 0.0, NOISE), sky, Air(ring_light(spectra), power.astype(np.float64), SURE, 1.0)


def wandered(found: Halves, wrong: Tensor) -> Halves:
    """The sums as PSFs would give them that are all wrong by the same ring filter, which no frame objects to."""

    def filtered(part: Sums) -> Sums:
        return Sums(part.power * wrong[NUMBER] ** 2, part.cross * wrong[NUMBER], part.frames)

    return replace(found, total=filtered(found.total), half=filtered(found.half))


def slope(strength: float) -> Tensor:
    """A ring filter (ring,): one on the coarsest rings, exp(strength) at the cut-off."""
    ring = torch.arange(int(NUMBER.max()) + 1)
    return torch.exp(strength * ((ring - 3) / 21).clamp(0, 1))


def gain_of(found: Halves, air: Air) -> Tensor:
    """The gain (ring,) that `deliver` takes."""
    floor = floor_of(ring_power(found.total, found.noise), found.noise, SIZE)
    return ring_gain(found, floor, air, CUTOFF)


def clear(sky: Tensor) -> Tensor:
    """The sky (y, x) as the telescope shows it without air."""
    return torch.fft.irfft2(sky * perfect(pupil(SIZE, *EYE, 3)), s=(SIZE, SIZE))


def error(found: Halves, sky: Tensor, air: Air) -> float:
    """Rms error of the delivered sky over the brightest light."""
    truth = clear(sky)
    return float((deliver(found, air, EYE).sky - truth).square().mean().sqrt() / truth.max())


def test_right_sums_are_left_alone(scene: tuple[Halves, Tensor, Air]) -> None:
    found, sky, air = scene
    np.testing.assert_allclose(gain_of(found, air)[:18], 1, atol=0.1)
    assert error(found, sky, air) < 0.02


@pytest.mark.parametrize("strength", [-1.0, 1.0])
def test_a_wandered_solve_gives_the_right_sky_by_the_air(scene: tuple[Halves, Tensor, Air], strength: float) -> None:
    found, sky, air = scene
    wrong = wandered(found, slope(strength))
    ratio = gain_of(wrong, air) / gain_of(found, air)
    np.testing.assert_allclose(ratio[3:18], slope(strength)[3:18], rtol=0.08)
    unaware, aware = (error(wrong, sky, replace(air, share=share)) for share in (0.0, 1.0))
    assert aware < 0.5 * unaware


@pytest.mark.parametrize("apart", [0.2, 0.5, 1.0, 2.0])
def test_the_air_is_believed_as_far_as_it_is_sure(apart: float) -> None:
    curve, unsure = torch.full((20,), apart), torch.full((20,), 0.4)
    assert belief(curve, unsure) == pytest.approx(max(AT_LEAST, 1 - (0.4 / apart) ** 2))
    assert belief(curve, 0.01 * unsure) > 0.99
    assert belief(curve[:0], unsure[:0]) == AT_LEAST


def test_an_unsure_air_changes_less(scene: tuple[Halves, Tensor, Air]) -> None:
    found, _, air = scene
    wrong = wandered(found, slope(1.0))
    sure, unsure = (gain_of(wrong, replace(air, spread=np.full(len(RINGS), s))) for s in (0.01, 1.0))
    assert (sure[6:15] > unsure[6:15] * 1.02).all()


def test_the_units_of_light_do_not_say_who_is_right(scene: tuple[Halves, Tensor, Air]) -> None:
    found, _, air = scene
    wrong, doubtful = wandered(found, slope(1.0)), replace(air, spread=np.full(len(RINGS), 0.3))
    brighter = replace(doubtful, light=1.5 * (air.light - NOISE) + NOISE)
    np.testing.assert_allclose(gain_of(wrong, brighter)[:18], gain_of(wrong, doubtful)[:18], rtol=1e-3)


def test_share_says_how_far_the_air_is_believed(scene: tuple[Halves, Tensor, Air]) -> None:
    found, _, air = scene
    wrong = wandered(found, slope(0.5))
    none, half, whole = (gain_of(wrong, replace(air, share=share)) for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(none[3:15], 1, atol=0.1)
    np.testing.assert_allclose(half[3:15], (none * whole).sqrt()[3:15], rtol=0.03)


def test_no_ring_is_changed_beyond_reason(scene: tuple[Halves, Tensor, Air]) -> None:
    found, _, air = scene
    for scale in (1e-4, 1e4):
        gain = gain_of(found, replace(air, mean_power=air.mean_power * scale ** (RINGS > 0.4)))
        assert 0.2 < float(gain[:20].min()) <= float(gain.max()) < 5
        assert float(gain[0]) == 1


def test_light_that_one_half_made_up_is_not_shown(scene: tuple[Halves, Tensor, Air]) -> None:
    found, sky, air = scene
    dice = torch.Generator().manual_seed(8)
    fancy = 100 * torch.fft.rfft2(torch.randn(SIZE, SIZE, generator=dice)) * (NUMBER > 6)
    parts = [found.half, found.total - found.half]
    bent = [Sums(p.power, p.cross + sign * p.power * fancy, p.frames) for p, sign in zip(parts, (1, 0), strict=True)]
    made_up = replace(found, total=bent[0] + bent[1], half=bent[0])
    lone = replace(made_up, half=Sums(0 * fancy.real, 0 * fancy, 0))
    assert error(made_up, sky, air) < 0.8 * error(lone, sky, air)


def test_nothing_is_shown_beyond_the_cut_off(scene: tuple[Halves, Tensor, Air]) -> None:
    found, _, air = scene
    assert (gain_of(found, air)[26:] == 0).all()


def test_flux_is_the_frames(scene: tuple[Halves, Tensor, Air]) -> None:
    found, sky, air = scene
    given = deliver(found, air, EYE)
    assert float(given.sky.sum()) == pytest.approx(float(sky[0, 0].real), rel=2e-3)
    assert given.sky.shape == (SIZE, SIZE)
    assert given.spectrum.shape == (SIZE, SIZE // 2 + 1)
    assert (given.sky_power > 0).all()
