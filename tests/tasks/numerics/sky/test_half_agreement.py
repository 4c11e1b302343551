"""Common power of two half-sets is the sky's: noise, spurious structure and shared noise do not count."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.numerics.fourier.rings import rings
from tasks.numerics.judging.metrics import fourier_ring_correlation
from tasks.numerics.sky.half_agreement import HalfSums, common_power_fraction, smooth
from tasks.numerics.sky.likelihood import Sums

SIZE, FRAMES, NOISE = 64, 20, 2.0
FLOOR = torch.tensor(1e-3)


def drawn(seed: int, power: float) -> Tensor:
    """White coefficients (y, x//2+1) of so much power each."""
    return torch.fft.rfft2(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(seed))) / SIZE * power**0.5


def halves(sky: float, noise: float, own: float = 0.0, shared: bool = False) -> HalfSums:
    """Sums of noisy frames without blur; `own` is the power of spurious structure in each half."""
    light, count = drawn(1, sky), FRAMES // 2
    parts = []
    for seed in (2, 4):
        grain = drawn(2 if shared else seed, noise * count * (2 if shared else 1))
        scale = 0.5 if shared else 1.0  # the noise of all frames in both halves, at half the weight
        parts.append(count * (light + drawn(seed + 5, own)) + scale * grain)
    power = torch.full((SIZE, SIZE // 2 + 1), float(FRAMES))
    half = Sums(power / 2, parts[0], count)
    return HalfSums(Sums(power, parts[0] + parts[1], FRAMES), half, float(shared), noise)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 5.0])
def test_the_fraction_is_that_of_the_sky(ratio: float) -> None:
    """Of the mean of twenty frames with noise NOISE the noise's power is NOISE / 20."""
    share = common_power_fraction(halves(ratio * NOISE / FRAMES, NOISE), FLOOR)
    assert float(share[8:30].mean()) == pytest.approx(ratio / (1 + ratio), abs=0.12)


def test_it_follows_from_the_fourier_ring_correlation_of_the_halves() -> None:
    """Signal fraction 2 c / (1 + c) of the mean of half-sets with correlation c (Rosenthal and Henderson 2003)."""
    found = halves(3 * NOISE / FRAMES, NOISE)
    pictures = [
        np.fft.irfft2(part.cross.numpy() / 10, s=(SIZE, SIZE)) for part in (found.half, found.total - found.half)
    ]
    correlation = fourier_ring_correlation(*pictures)[8:30].mean()
    fraction = common_power_fraction(found, FLOOR)[8:30].mean()
    assert float(fraction) == pytest.approx(2 * correlation / (1 + correlation), abs=0.05)


def test_spurious_structure_of_a_half_does_not_count_though_the_noise_is_small() -> None:
    share = common_power_fraction(halves(1.0, 1e-4, own=2.0), FLOOR)
    assert float(share[8:30].mean()) == pytest.approx(0.5, abs=0.12)


def test_noise_that_both_halves_share_does_not_count() -> None:
    found = halves(NOISE / FRAMES, NOISE, shared=True)
    assert float(common_power_fraction(found, FLOOR)[8:30].mean()) == pytest.approx(0.5, abs=0.12)
    unaware = HalfSums(found.total, found.half, 0.0, found.noise)
    assert float(common_power_fraction(unaware, FLOOR)[8:30].mean()) > 0.9


def test_of_a_single_solve_the_noise_is_subtracted() -> None:
    found = halves(NOISE / FRAMES, NOISE)
    for half in (Sums(0 * found.total.power, 0 * found.total.cross, 0), found.total):
        single = HalfSums(found.total, half, 0.0, NOISE)
        assert single.single_solve
        assert float(common_power_fraction(single, FLOOR)[8:30].mean()) == pytest.approx(0.5, abs=0.12)


def test_it_lies_between_zero_and_one_and_is_one_on_the_coarsest_rings() -> None:
    share = common_power_fraction(halves(1e-9, NOISE), FLOOR)
    assert len(share) == int(rings(SIZE).max()) + 1
    assert ((share >= 0) & (share <= 1)).all()
    assert (share[:3] == 1).all()
    assert float(share[8:30].mean()) < 0.25


def test_smoothing_keeps_a_line() -> None:
    line = torch.arange(6).float()
    torch.testing.assert_close(smooth(line)[1:-1], line[1:-1])
