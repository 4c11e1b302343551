"""Noise and ring power are estimated without bias; the prior follows them."""

import pytest
import torch

from tasks.numerics.fourier.rings import rings
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil, otfs
from tasks.numerics.sky.likelihood import sums
from tasks.numerics.sky.wiener import (
    corner_noise,
    flattened_prior,
    floor_of,
    positive,
    power_law,
    ring_power,
    ring_power_of_frames,
    wiener,
)

SIZE = 64


def test_corner_noise_ignores_the_sky() -> None:
    dice = torch.Generator().manual_seed(0)
    pupil = make_pupil(SIZE, Aperture(24.0, 0.3), 5)
    sky = torch.fft.rfft2(torch.rand(SIZE, SIZE, generator=dice) * 1000) * diffraction_otf(pupil)
    noise = torch.fft.rfft2(2.0 * torch.randn(20, SIZE, SIZE, generator=dice))
    assert corner_noise(sky + noise, 24 / SIZE) == pytest.approx(4.0 * SIZE**2, rel=0.05)


@pytest.mark.parametrize("dim", [1.0, 0.03])
def test_ring_power_is_found_at_once_where_frames_hardly_show_it(dim: float) -> None:
    """Rings attenuated to three per cent: expectation-maximisation would not converge."""
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
    pupil = make_pupil(SIZE, Aperture(24.0, 0.3), 10)
    transfer = otfs(pupil, 0.5 * torch.randn(12, 10, generator=dice))
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


def test_a_flattened_prior_is_the_geometric_mean_with_one_number() -> None:
    power = torch.arange(1, int(rings(SIZE).max()) + 2).float() ** -3
    loose = flattened_prior(power, SIZE)
    assert loose[0] < power[0]
    assert loose[-1] > power[-1]
    torch.testing.assert_close((loose[1:] / loose[:-1]).log(), (power[1:] / power[:-1]).log() / 2)


def test_the_frames_light_is_counted_ring_by_ring() -> None:
    spectra = torch.fft.rfft2(3 * torch.randn(50, SIZE, SIZE, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(
        ring_power_of_frames(spectra, 9.0 * SIZE**2)[10:30], torch.full((20,), 9.0 * SIZE**2), rtol=0.1, atol=0
    )


def test_positive_keeps_the_light() -> None:
    sky = torch.tensor([[-1.0, 2.0], [3.0, 0.0]])
    assert positive(sky).min() == 0
    assert positive(sky).sum() == pytest.approx(4.0)
    assert positive(-sky).min() == 0


def test_faint_rings_are_held_back() -> None:
    floor = floor_of(torch.tensor([1e3] * 46), 2.0, SIZE)
    assert floor.shape == (SIZE, SIZE // 2 + 1)
    assert float(floor[0, 0]) == pytest.approx(2e-3)
