"""Adam: torch's own, step by step; and a step size that ends at zero."""

import pytest
import torch

from tasks.numerics.adam import DECAY, adam_step, cosine_rate


def test_steps_are_those_of_torch() -> None:
    start = torch.tensor([3.0, -2.0, 0.5])
    reference = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([reference], lr=0.1, betas=DECAY, eps=1e-12)
    own, first, second = start, torch.zeros(3), torch.zeros(3)
    for step in range(20):
        optimiser.zero_grad()
        (reference**4).sum().backward()
        optimiser.step()
        first, second, direction = adam_step(4 * own**3, first, second, step)
        own = own - 0.1 * direction
    torch.testing.assert_close(own, reference.detach(), rtol=1e-4, atol=1e-5)


def test_the_rate_falls_from_full_to_nothing() -> None:
    rates = [cosine_rate(0.3, step, 10) for step in range(11)]
    assert rates[0] == pytest.approx(0.3)
    assert rates[5] == pytest.approx(0.15)
    assert rates[10] == pytest.approx(0, abs=1e-9)
    assert rates == sorted(rates, reverse=True)
