"""The delivered sky: its flux is the frames', its rings hold the power that the air left, its prior comes from the data."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.air import noll_variances
from tasks.numerics.bootstrap import draw
from tasks.numerics.deliver import amplitude, deliver
from tasks.numerics.likelihood import Sums, sums
from tasks.numerics.pupil import otfs, perfect, pupil, ring_mean, rings
from tasks.numerics.speckle import RINGS

SIZE, MODES, FRAMES, CUTOFF = 48, 15, 24, 0.5
NOISE = 0.5**2 * SIZE**2
EYE = (24.0, 0.3)


@pytest.fixture(scope="module")
def scene() -> tuple[Sums, Tensor, np.ndarray]:
    """Sums with the true PSFs, the sky's spectrum, and the true <|H|^2> at speckle.RINGS."""
    dice = torch.Generator().manual_seed(5)
    eye = pupil(SIZE, *EYE, MODES)
    axis = (torch.arange(SIZE) - SIZE // 2).float()
    disc = (torch.hypot(axis[:, None], axis[None]) < 12).float()
    sky = torch.fft.rfft2(100 * disc * (0.3 + torch.rand(SIZE, SIZE, generator=dice)))
    spread = torch.from_numpy(np.sqrt(noll_variances(MODES) * 3.0 ** (5 / 3))).float()
    transfer = otfs(eye, draw(FRAMES, spread, 9))
    light = torch.fft.irfft2(transfer * sky, s=(SIZE, SIZE))
    total = sums(torch.fft.rfft2(light + 0.5 * torch.randn(light.shape, generator=dice)), transfer)
    return total, sky, at_rings(total)


def curve(total: Sums) -> np.ndarray:
    """Mean |H|^2 (ring,) of summed frames."""
    return (ring_mean(total.power, rings(SIZE)) / total.frames).numpy()


def at_rings(total: Sums) -> np.ndarray:
    found = curve(total)
    where = RINGS * CUTOFF * SIZE
    return np.exp(np.interp(where, np.arange(len(found)), np.log(np.maximum(found, 1e-9)))).astype(np.float64)


def wandered(total: Sums, wrong: Tensor) -> Sums:
    """The sums as PSFs would give them that are all wrong by the same ring filter, which no frame objects to."""
    filtered = wrong[rings(SIZE)]
    return Sums(total.power * filtered**2, total.cross * filtered, total.frames)


def slope(strength: float) -> Tensor:
    """A ring filter (ring,): one at zero, exp(strength) at the cut-off."""
    ring = torch.arange(int(rings(SIZE).max()) + 1)
    return torch.exp(strength * (ring / 24).clamp(max=1))


def test_sums_over_the_factor_hold_the_airs_power(scene: tuple[Sums, Tensor, np.ndarray]) -> None:
    total, _, power = scene
    wrong = wandered(total, slope(0.5))
    factor = amplitude(wrong, power, CUTOFF, 1.0)
    held = wandered(wrong, 1 / factor)
    before, after, wanted = (np.log(curve(s)[1:20]) for s in (wrong, held, total))
    assert np.abs(before - wanted).max() > 0.5
    assert np.abs(after - wanted).max() < 0.1
    assert float(factor[0]) == 1


def test_right_sums_are_left_alone(scene: tuple[Sums, Tensor, np.ndarray]) -> None:
    total, _, power = scene
    np.testing.assert_allclose(amplitude(total, power, CUTOFF, 1.0)[:20], 1, atol=0.03)


def test_share_says_how_far_the_air_is_believed(scene: tuple[Sums, Tensor, np.ndarray]) -> None:
    total, _, power = scene
    wrong = wandered(total, slope(0.5))
    none, half, whole = (amplitude(wrong, power, CUTOFF, share) for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(none, 1)
    np.testing.assert_allclose(half[3:20], whole[3:20].sqrt(), rtol=0.02)


def test_no_ring_is_changed_beyond_reason(scene: tuple[Sums, Tensor, np.ndarray]) -> None:
    total, _, power = scene
    for scale in (1e-4, 1e4):
        factor = amplitude(total, power * scale, CUTOFF, 1.0)
        assert 0.2 < float(factor.min()) <= float(factor.max()) < 5
        assert float(factor[0]) == 1


def test_a_wandered_solve_gives_the_right_sky_once_tied(scene: tuple[Sums, Tensor, np.ndarray]) -> None:
    total, sky, power = scene
    wrong = wandered(total, slope(-0.5))
    truth = torch.fft.irfft2(sky * perfect(pupil(SIZE, *EYE, 3)), s=(SIZE, SIZE))
    errors = [
        float((deliver(wrong, NOISE, amplitude(wrong, power, CUTOFF, share), EYE).sky - truth).square().mean().sqrt())
        for share in (0.0, 1.0)
    ]
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 0.05 * float(truth.max())


def test_flux_is_the_frames(scene: tuple[Sums, Tensor, np.ndarray]) -> None:
    total, sky, power = scene
    found = deliver(total, NOISE, amplitude(total, power, CUTOFF, 1.0), EYE)
    assert float(found.sky.sum()) == pytest.approx(float(sky[0, 0].real), rel=2e-3)
    assert found.sky.shape == (SIZE, SIZE)
    assert found.spectrum.shape == (SIZE, SIZE // 2 + 1)
    assert (found.sky_power > 0).all()


def test_a_given_power_is_kept(scene: tuple[Sums, Tensor, np.ndarray]) -> None:
    total, _, _ = scene
    factor = torch.ones(int(rings(SIZE).max()) + 1)
    whole = deliver(total, NOISE, factor, EYE)
    again = deliver(total, NOISE, factor, EYE, whole.sky_power)
    torch.testing.assert_close(again.sky_power, whole.sky_power)
    torch.testing.assert_close(again.sky, whole.sky)
