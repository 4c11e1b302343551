"""Changes of a trained net: another input with the old answers kept exactly, and which weights a further training may change."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from storage.errors import Hopeless

Mode = Literal["mean", "first"]
POLICIES: dict[str, tuple[str, ...]] = {
    "last": ("tail",),
    "first+last": ("head", "tail"),
    "first+second+last": ("head", "down_blocks.0", "tail"),
    "all": ("",),
}
"""Policy: beginnings of the names of the weights that are trained further."""


def widened(conv: nn.Conv2d, mode: Mode) -> nn.Conv2d:
    """A first convolution that takes two pictures instead of one.

    `mean`: each gets half the weights, so that two equal pictures give the old answer. `first`: the second gets none, so
    that whatever it shows the old answer stays. Copying the weights without halving them would double the answer.
    """
    wide = nn.Conv2d(2 * conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)  # type: ignore[arg-type]
    second = conv.weight / 2 if mode == "mean" else torch.zeros_like(conv.weight)
    with torch.no_grad():
        wide.weight.copy_(torch.cat([conv.weight - second, second], 1))
        if wide.bias is not None and conv.bias is not None:
            wide.bias.copy_(conv.bias)
    return wide


def freeze(body: nn.Module, policy: str) -> list[str]:
    """Let only the weights of a policy be trained; their names."""
    if policy not in POLICIES:
        raise Hopeless(f"there is no policy {policy!r}; known: {', '.join(POLICIES)}")
    trained = []
    for name, value in body.named_parameters():
        value.requires_grad_(any(name.startswith(part) for part in POLICIES[policy]))
        if value.requires_grad:
            trained.append(name)
    return trained
