"""The sky that best fits windows whose noise is not white."""

import pytest
import torch
from torch import Tensor

from tasks.numerics.fourier.rings import frequencies
from tasks.numerics.sky.extended_field import solve_extended

SIZE = 32


def windows(open_rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Frames, their mask and transfer functions that pass coarse light best."""
    dice = torch.Generator().manual_seed(7)
    light = torch.randn(3, SIZE, SIZE, generator=dice)
    mask = torch.zeros_like(light)
    mask[:, :open_rows] = 1
    share = 0.5 + torch.rand(3, 1, 1, generator=dice)
    return light * mask, mask, (share * torch.exp(-4 * frequencies(SIZE))).to(torch.complex64)


METRIC = 1 / (1 + 5 * torch.exp(-20 * frequencies(SIZE)))
FLOOR = torch.full((SIZE, SIZE // 2 + 1), 0.3)


def test_a_metric_weighs_residuals_by_their_noise() -> None:
    """Where windows cover the canvas the answer is known: sum(conj(H) M Y) / (M sum|H|^2 + floor)."""
    light, mask, transfer = windows(SIZE)
    found = solve_extended(lambda: [(light, mask, transfer)], lambda: [(mask, transfer)], FLOOR, 1, metric=METRIC)
    cross = (transfer.conj() * METRIC * torch.fft.rfft2(light)).sum(0)
    torch.testing.assert_close(found, cross / (METRIC * (transfer.abs() ** 2).sum(0) + FLOOR), rtol=1e-3, atol=1e-3)


def test_a_metric_of_one_changes_nothing() -> None:
    block = windows(20)
    plain, weighed = (
        solve_extended(lambda: [block], lambda: [block[1:]], FLOOR, 8, metric=m)
        for m in (None, torch.ones_like(METRIC))
    )
    torch.testing.assert_close(plain, weighed, rtol=1e-3, atol=1e-3)


def test_the_gradient_vanishes_at_the_sky_that_was_found() -> None:
    """In windows that cover part of the canvas the weighted residual is masked on both sides."""
    light, mask, transfer = windows(20)
    sky = solve_extended(lambda: [(light, mask, transfer)], lambda: [(mask, transfer)], FLOOR, 60, metric=METRIC)
    residual = light - mask * torch.fft.irfft2(transfer * sky, s=(SIZE, SIZE))
    weighed = mask * torch.fft.irfft2(METRIC * torch.fft.rfft2(residual), s=(SIZE, SIZE))
    gradient = (transfer.conj() * torch.fft.rfft2(weighed)).sum(0) - FLOOR * sky
    assert float(gradient.abs().max()) == pytest.approx(0, abs=1e-3 * float(sky.abs().max()))
