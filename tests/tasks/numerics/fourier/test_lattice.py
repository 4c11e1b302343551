"""A lattice takes every second frequency; four of them take each once."""

import torch

from tasks.numerics.fourier.lattice import QUARTERS, WHOLE, inner


def test_four_quarters_hold_every_frequency_once() -> None:
    seen = torch.zeros(10, 6)
    for lattice in QUARTERS:
        lattice.of(seen).add_(1)  # a view
    assert (seen == 1).all()
    assert WHOLE.of(seen).shape == seen.shape


def test_a_number_holds_for_every_frequency() -> None:
    assert QUARTERS[3].of(torch.tensor(2.0)) == 2


def test_the_inner_frequencies_are_those_of_wider_pixels() -> None:
    waves = torch.cos(2 * torch.pi * (3 * torch.arange(24)[:, None] + 4 * torch.arange(24)) / 24 + 0.3)
    found = inner(torch.fft.rfft2(waves), 12)
    torch.testing.assert_close(torch.fft.irfft2(found, s=(12, 12)) / 4, waves[::2, ::2], rtol=0, atol=1e-5)
