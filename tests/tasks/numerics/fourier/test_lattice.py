"""A lattice takes every second frequency; four of them take each once."""

import torch

from tasks.numerics.fourier.lattice import QUARTERS, WHOLE


def test_four_quarters_hold_every_frequency_once() -> None:
    seen = torch.zeros(10, 6)
    for lattice in QUARTERS:
        lattice.of(seen).add_(1)  # a view
    assert (seen == 1).all()
    assert WHOLE.of(seen).shape == seen.shape


def test_a_number_holds_for_every_frequency() -> None:
    assert QUARTERS[3].of(torch.tensor(2.0)) == 2
