"""The corrected sky has the frames' flux, the true sky's ring power, and nothing that only one half-set shows."""

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
from tasks.numerics.sky.amplitude import SeeingPower, correct_amplitude, log_mean_power, seeing_weight
from tasks.numerics.sky.half_agreement import HalfSums
from tasks.numerics.sky.likelihood import Sums, sums
from tasks.numerics.sky.wiener import ring_power_of_frames

SIZE, MODES, FRAMES = 48, 15, 24
NOISE = 0.5**2 * SIZE**2
APERTURE = Aperture(24.0, 0.3)
NUMBER = rings(SIZE)
CERTAIN = np.full(len(RINGS), 0.01)


@pytest.fixture(scope="module")
def scene() -> tuple[HalfSums, Tensor, SeeingPower]:
    """Sums with the true PSFs, the sky's spectrum, and the frames' power with the true <|H|^2>."""
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
    power = np.exp(np.interp(RINGS * 0.5 * SIZE, np.arange(len(curve)), np.log(np.maximum(curve, 1e-9))))
    half = sums(spectra[::2], transfer[::2])
    return (
        HalfSums(total, half, 0.0, NOISE),
        sky,
        SeeingPower(ring_power_of_frames(spectra, NOISE), power.astype(np.float64), CERTAIN, 1.0),
    )


def filtered(found: HalfSums, ring_filter: Tensor) -> HalfSums:
    """The sums for PSFs that are all divided by one ring filter, which fit the frames as well as the true ones."""

    def changed(part: Sums) -> Sums:
        return Sums(part.power * ring_filter[NUMBER] ** 2, part.cross * ring_filter[NUMBER], part.frames)

    return replace(found, total=changed(found.total), half=changed(found.half))


def slope(strength: float) -> Tensor:
    """A ring filter (ring,): one on the coarsest rings, exp(strength) at the cut-off."""
    ring = torch.arange(int(NUMBER.max()) + 1)
    return torch.exp(strength * ((ring - 3) / 21).clamp(0, 1))


def gain_of(found: HalfSums, seeing: SeeingPower) -> Tensor:
    """The gain (ring,) on the Wiener-filtered sky."""
    return correct_amplitude(found, seeing, APERTURE).gain


def clear(sky: Tensor) -> Tensor:
    """The sky (y, x) through the telescope without turbulence."""
    return torch.fft.irfft2(sky * diffraction_otf(make_pupil(SIZE, APERTURE, 3)), s=(SIZE, SIZE))


def error(found: HalfSums, sky: Tensor, seeing: SeeingPower) -> float:
    """Rms error of the corrected sky, over the true one's maximum."""
    truth = clear(sky)
    return float((correct_amplitude(found, seeing, APERTURE).sky - truth).square().mean().sqrt() / truth.max())


def test_right_sums_are_not_changed(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, sky, seeing = scene
    np.testing.assert_allclose(gain_of(found, seeing)[:18], 1, atol=0.1)
    assert error(found, sky, seeing) < 0.02


@pytest.mark.parametrize("strength", [-1.0, 1.0])
def test_the_seeing_restores_the_sky_of_a_solve_with_filtered_psfs(
    scene: tuple[HalfSums, Tensor, SeeingPower], strength: float
) -> None:
    found, sky, seeing = scene
    wrong = filtered(found, slope(strength))
    powers = [ring_mean(x.abs() ** 2, NUMBER) for x in (correct_amplitude(wrong, seeing, APERTURE).spectrum, sky)]
    np.testing.assert_allclose((powers[0] / powers[1]).sqrt()[3:15], 1, atol=0.12)
    unaware, aware = (error(wrong, sky, replace(seeing, weight=weight)) for weight in (0.0, 1.0))
    assert aware < 0.5 * unaware


@pytest.mark.parametrize(("difference", "weight"), [(0.2, 0.75), (0.5, 0.75), (1.0, 0.84), (2.0, 0.96)])
def test_seeing_weighs_more_the_more_the_difference_exceeds_its_sigma(difference: float, weight: float) -> None:
    """For a sigma of 0.4 in ln(power); three quarters at least."""
    curve, sigma = torch.full((20,), difference), torch.full((20,), 0.4)
    assert seeing_weight(curve, sigma) == pytest.approx(weight, abs=0.005)
    assert seeing_weight(curve, 0.01 * sigma) > 0.99
    assert seeing_weight(curve[:0], sigma[:0]) == 0.75


def test_uncertain_seeing_changes_less(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    wrong = filtered(found, slope(1.0))
    certain, uncertain = (gain_of(wrong, replace(seeing, log_power_sigma=np.full(len(RINGS), s))) for s in (0.01, 1.0))
    assert (certain[6:15] > uncertain[6:15] * 1.02).all()


def test_the_units_of_light_do_not_change_the_gain(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    wrong, doubtful = filtered(found, slope(1.0)), replace(seeing, log_power_sigma=np.full(len(RINGS), 0.3))
    brighter = replace(doubtful, frame_power=1.5 * (seeing.frame_power - NOISE) + NOISE)
    np.testing.assert_allclose(gain_of(wrong, brighter)[:18], gain_of(wrong, doubtful)[:18], rtol=1e-3)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_weight_scales_the_correction(scene: tuple[HalfSums, Tensor, SeeingPower], weight: float) -> None:
    """PSFs that are wrong by exp(0.5) at the cut-off are corrected by that power of it."""
    found, _, seeing = scene
    gain = gain_of(filtered(found, slope(0.5)), replace(seeing, weight=weight))
    np.testing.assert_allclose(gain[3:15], slope(0.5 * weight)[3:15], rtol=0.1)


def test_the_correction_of_a_ring_is_bounded(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    for scale in (1e-4, 1e4):
        gain = gain_of(found, replace(seeing, mean_power=seeing.mean_power * scale ** (RINGS > 0.4)))
        assert 0.2 < float(gain[:20].min()) <= float(gain.max()) < 5
        assert float(gain[0]) == 1


def test_light_that_only_one_half_set_shows_is_suppressed(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, sky, seeing = scene
    dice = torch.Generator().manual_seed(8)
    spurious = 100 * torch.fft.rfft2(torch.randn(SIZE, SIZE, generator=dice)) * (NUMBER > 6)
    parts = [found.half, found.total - found.half]
    changed = [
        Sums(p.power, p.cross + sign * p.power * spurious, p.frames) for p, sign in zip(parts, (1, 0), strict=True)
    ]
    one_sided = replace(found, total=changed[0] + changed[1], half=changed[0])
    single = replace(one_sided, half=Sums(0 * spurious.real, 0 * spurious, 0))
    assert error(one_sided, sky, seeing) < 0.8 * error(single, sky, seeing)


def test_nothing_remains_beyond_the_cut_off(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    assert (gain_of(found, seeing)[26:] == 0).all()


def test_flux_is_the_frames(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, sky, seeing = scene
    given = correct_amplitude(found, seeing, APERTURE)
    assert float(given.sky.sum()) == pytest.approx(float(sky[0, 0].real), rel=2e-3)
    assert given.sky.shape == (SIZE, SIZE)
    assert given.spectrum.shape == (SIZE, SIZE // 2 + 1)
    assert (given.sky_power > 0).all()


def test_light_that_a_coder_took_is_given_back_where_it_is_common(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    """A ring as strong as its noise has lost up to half of its light; rings far above the noise have lost none."""
    found, _, seeing = scene
    plain, compressed = (gain_of(found, replace(seeing, compressed=each)) for each in (False, True))
    ratio = (compressed / plain)[1:20]
    lost = (NOISE / seeing.frame_power[1:20]).clamp(0, 1)
    assert (ratio >= 1 - 1e-6).all()
    assert (ratio <= 1 + lost + 1e-6).all()
    assert ratio[-1] > ratio[0]


def test_the_filter_that_made_the_noise_white_is_taken_back(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    plain = correct_amplitude(found, seeing, APERTURE)
    halved = correct_amplitude(found, seeing, APERTURE, torch.full((SIZE, SIZE // 2 + 1), 0.5))
    torch.testing.assert_close(halved.sky, 2 * plain.sky)
    torch.testing.assert_close(halved.spectrum, plain.spectrum)


def test_the_mean_power_of_the_psfs_is_that_of_their_sums(scene: tuple[HalfSums, Tensor, SeeingPower]) -> None:
    found, _, seeing = scene
    power = np.exp(log_mean_power(found.total, APERTURE))
    np.testing.assert_allclose(power[:38], seeing.mean_power[:38], rtol=0.02)
