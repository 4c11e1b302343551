"""Parts of nets: blocks after NAFNet without its global attention, so that a picture in tiles gives the same as a whole one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Normalises each pixel over its channels; written from plain operations, which every exporter knows."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, width, 1, 1))
        self.offset = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, y, x), each pixel with mean 0 and variance 1 over the channels, times the gain."""
        centred = x - x.mean(1, keepdim=True)
        return centred * torch.rsqrt((centred * centred).mean(1, keepdim=True) + 1e-6) * self.gain + self.offset


class GatedBlock(nn.Module):
    """Depthwise convolution and a pointwise layer, both gated; `conditions` numbers per picture shift and scale it."""

    def __init__(self, width: int, conditions: int, dilation: int = 1) -> None:
        super().__init__()
        self.first, self.second = ChannelNorm(width), ChannelNorm(width)
        self.widen, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.spread = nn.Conv2d(2 * width, 2 * width, 3, padding=dilation, dilation=dilation, groups=2 * width)
        self.mix, self.out = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.conditioned = nn.Linear(conditions, 2 * width) if conditions else None
        if self.conditioned is not None:
            nn.init.zeros_(self.conditioned.weight)
            nn.init.zeros_(self.conditioned.bias)

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        """(n, width, y, x) and (n, conditions) to (n, width, y, x)."""
        y = self.first(x)
        if self.conditioned is not None:
            scale, offset = self.conditioned(conditions)[:, :, None, None].chunk(2, 1)
            y = y * (1 + scale) + offset
        a, b = self.spread(self.widen(y)).chunk(2, 1)
        x = x + self.narrow(a * b)
        a, b = self.mix(self.second(x)).chunk(2, 1)
        return x + self.out(a * b)


class GatedUNet(nn.Module):
    """Three scales with skips; the last layer starts at zero, so that a new net adds nothing."""

    def __init__(self, channels: tuple[int, int], width: int, conditions: int = 0, dilations: tuple[int, ...] = (1, 1)):
        super().__init__()
        self.head = nn.Conv2d(channels[0], width, 3, padding=1)
        widths = (width, 2 * width)
        self.down_blocks = nn.ModuleList(GatedBlock(w, conditions) for w in widths)
        self.up_blocks = nn.ModuleList(GatedBlock(w, conditions) for w in widths)
        self.downs = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, stride=2) for w in widths)
        self.ups = nn.ModuleList(nn.Conv2d(2 * w, 4 * w, 1) for w in widths)
        self.middle = nn.ModuleList(GatedBlock(4 * width, conditions, d) for d in dilations)
        self.tail = nn.Conv2d(width, channels[1], 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        assert self.tail.bias is not None
        nn.init.zeros_(self.tail.bias)

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        """(n, in, y, x), sides multiples of 4, to (n, out, y, x)."""
        x = self.head(x)
        skips = []
        for block, down in zip(self.down_blocks, self.downs, strict=True):
            x = block(x, conditions)
            skips.append(x)
            x = down(x)
        for block in self.middle:
            x = block(x, conditions)
        for level in (1, 0):
            x = nn.functional.pixel_shuffle(self.ups[level](x), 2) + skips[level]
            x = self.up_blocks[level](x, conditions)
        return self.tail(x)
