"""Surgery: a widened first layer is proved, not believed; policies change exactly their weights."""

import pytest
import torch
from torch import nn

from storage.errors import Hopeless
from tasks.learning.surgery import POLICIES, freeze, widened
from tasks.numerics.networks.blocks import GatedUNet


@pytest.fixture
def pictures() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(3, 1, 16, 16)


def test_by_halves_two_equal_pictures_give_the_old_answer(pictures: torch.Tensor) -> None:
    conv = nn.Conv2d(1, 8, 3, padding=1)
    wide = widened(conv, "mean")
    assert torch.allclose(wide(torch.cat([pictures, pictures], 1)), conv(pictures), atol=1e-6)


def test_with_zeros_the_second_picture_may_be_anything(pictures: torch.Tensor) -> None:
    conv = nn.Conv2d(1, 8, 3, padding=1)
    wide = widened(conv, "first")
    for other in (pictures, torch.zeros_like(pictures), 100 * torch.randn_like(pictures)):
        assert torch.allclose(wide(torch.cat([pictures, other], 1)), conv(pictures), atol=1e-6)


def test_copied_without_halving_the_answer_would_double(pictures: torch.Tensor) -> None:
    conv = nn.Conv2d(1, 8, 3, padding=1, bias=False)
    wide = widened(conv, "mean")
    with torch.no_grad():
        wide.weight.copy_(conv.weight.repeat(1, 2, 1, 1))
        wide.bias.zero_()
    assert torch.allclose(wide(torch.cat([pictures, pictures], 1)), 2 * conv(pictures), atol=1e-5)


def test_with_the_zeroed_half_frozen_the_loss_curves_are_the_same(pictures: torch.Tensor) -> None:
    one, curves = nn.Conv2d(1, 4, 3, padding=1), []
    for wide in (False, True):
        conv = nn.Conv2d(1, 4, 3, padding=1)
        conv.load_state_dict(one.state_dict())
        net = widened(conv, "first") if wide else conv
        given = torch.cat([pictures, torch.randn_like(pictures)], 1) if wide else pictures
        optimiser, losses = torch.optim.SGD(net.parameters(), 0.05), []
        for _ in range(5):
            loss = ((net(given) - 1) ** 2).mean()
            losses.append(float(loss.detach()))
            optimiser.zero_grad()
            loss.backward()
            if wide:
                net.weight.grad[:, 1:] = 0
            optimiser.step()
        curves.append(losses)
    assert curves[0] == pytest.approx(curves[1], abs=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_changes_exactly_its_weights(policy: str, pictures: torch.Tensor) -> None:
    net = GatedUNet((1, 1), 4)
    nn.init.normal_(net.tail.weight)
    trained = set(freeze(net, policy))
    before = {name: value.clone() for name, value in net.named_parameters()}
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)
    (net(pictures, torch.zeros(3, 0)) ** 2).mean().backward()
    optimiser.step()
    changed = {name for name, value in net.named_parameters() if not torch.equal(value, before[name])}
    assert changed <= trained
    assert {"tail.weight"} <= changed
    assert (policy == "all") == (len(trained) == len(before))


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(Hopeless, match=r"'middle'; known: last, first\+last"):
        freeze(GatedUNet((1, 1), 4), "middle")
