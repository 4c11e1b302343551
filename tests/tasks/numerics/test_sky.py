"""The sky keeps its light, its noise level and its rings."""

import pytest
import torch

from tasks.numerics.likelihood import sums
from tasks.numerics.pupil import otfs, perfect, pupil, ring_mean, rings
from tasks.numerics.sky import (
    corner_noise,
    floor_of,
    positive,
    power_law,
    renew_power,
    ring_power,
    tie,
    wiener,
)

SIZE = 64


def test_corner_noise_ignores_the_sky() -> None:
    dice = torch.Generator().manual_seed(0)
    eye = pupil(SIZE, 24.0, 0.3, 5)
    sky = torch.fft.rfft2(torch.rand(SIZE, SIZE, generator=dice) * 1000) * perfect(eye)
    noise = torch.fft.rfft2(2.0 * torch.randn(20, SIZE, SIZE, generator=dice))
    assert corner_noise(sky + noise, 24 / SIZE) == pytest.approx(4.0 * SIZE**2, rel=0.05)


def test_ring_prior_finds_the_skys_power() -> None:
    dice = torch.Generator().manual_seed(1)
    number = rings(SIZE)
    law = 1e6 * torch.arange(int(number.max()) + 1).clamp_min(1).float() ** -2
    white = torch.fft.rfft2(torch.randn(SIZE, SIZE, generator=dice)) / SIZE
    spectra = white * law[number].sqrt() + torch.fft.rfft2(torch.randn(16, SIZE, SIZE, generator=dice)) / SIZE
    total = sums(spectra, torch.ones_like(spectra))
    found = renew_power(total, torch.full_like(law, 1e3), 1.0, 20)
    assert (found[4:30] / law[4:30]).log().abs().median() < 0.25


@pytest.mark.parametrize("dim", [1.0, 0.03])
def test_ring_power_is_found_at_once_where_frames_hardly_show_it(dim: float) -> None:
    """The light of rings that the air leaves three per cent of: expectation-maximisation would not get there."""
    dice = torch.Generator().manual_seed(1)
    number = rings(SIZE)
    law = 1e4 * torch.arange(int(number.max()) + 1).clamp_min(1).float() ** -2
    sky = torch.fft.rfft2(torch.randn(SIZE, SIZE, generator=dice)) / SIZE * law[number].sqrt()
    noise = torch.fft.rfft2(torch.randn(200, SIZE, SIZE, generator=dice)) / SIZE
    total = sums(dim * sky + noise, torch.full((200, SIZE, SIZE // 2 + 1), dim, dtype=torch.complex64))
    assert (ring_power(total, 1.0)[4:28] / law[4:28]).log().abs().median() < 0.25


def test_ring_power_of_nothing_is_next_to_nothing() -> None:
    dice = torch.Generator().manual_seed(1)
    noise = torch.fft.rfft2(torch.randn(20, SIZE, SIZE, generator=dice)) / SIZE
    found = ring_power(sums(noise, torch.ones_like(noise)), 1.0)
    assert (found > 0).all()
    assert found[4:].median() < 0.02


def test_beyond_the_cut_off_there_is_no_sky() -> None:
    """Rounding errors of transfer functions, over rounding errors, would be a bright one."""
    dice = torch.Generator().manual_seed(3)
    eye = pupil(SIZE, 24.0, 0.3, 10)
    transfer = otfs(eye, 0.5 * torch.randn(12, 10, generator=dice))
    scene = 1000 * torch.fft.rfft2(torch.rand(SIZE, SIZE, generator=dice))
    noise = torch.fft.rfft2(torch.randn(12, SIZE, SIZE, generator=dice))
    total = sums(transfer * scene + noise, transfer)
    spectrum = wiener(total, floor_of(ring_power(total, float(SIZE**2)), float(SIZE**2), SIZE))
    outside = rings(SIZE) > 27
    assert spectrum[outside].abs().max() < 1e-3 * scene.abs().median()


def test_power_law_passes_through_the_lowest_rings() -> None:
    number = rings(SIZE)
    level = 500.0 * number.clamp_min(1).float() ** -3
    law = power_law(torch.complex(level.sqrt(), torch.zeros_like(level)))
    assert law[4] == pytest.approx(500.0 / 64, rel=0.05)


def test_tie_returns_what_psfs_took_from_the_sky() -> None:
    eye = pupil(SIZE, 32.0, 0.3, 10)
    dice = torch.Generator().manual_seed(4)
    transfer = otfs(eye, 0.5 * torch.randn(12, 10, generator=dice))
    number = rings(SIZE)
    curve = torch.linspace(1, 1.5, int(number.max()) + 1)
    spectra = transfer * torch.fft.rfft2(torch.rand(SIZE, SIZE, generator=dice))
    target = ring_mean((transfer.abs() ** 2).mean(0), number)
    floor = torch.tensor(1e-6)
    sharp = sums(spectra, transfer * curve[number])
    factor = tie(target * curve**2, target)
    ratio = (wiener(sharp, floor) * factor[number] / wiener(sums(spectra, transfer), floor)).abs()
    assert ratio[number == 10].mean() == pytest.approx(1.0, abs=0.02)
    assert factor[0] == 1


def test_tie_is_bounded_where_theory_is_silent() -> None:
    factor = tie(torch.tensor([1.0, 1.0, 1.0]), torch.tensor([1.0, 1e-9, 0.0]))
    assert factor.tolist() == [1.0, 3.0, 1.0]


def test_positive_keeps_the_light() -> None:
    sky = torch.tensor([[-1.0, 2.0], [3.0, 0.0]])
    assert positive(sky).min() == 0
    assert positive(sky).sum() == pytest.approx(4.0)
    assert positive(-sky).min() == 0


def test_faint_rings_are_held_back() -> None:
    floor = floor_of(torch.tensor([1e3] * 46), 2.0, SIZE)
    assert floor.shape == (SIZE, SIZE // 2 + 1)
    assert float(floor[0, 0]) == pytest.approx(2e-3)
