"""Features of a picture from a small net that was taught what blurs and spoils it; and a critic that looks at them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FeatureNet(nn.Module):
    """Three layers of features (n, c, y, x) of a picture; from their means it tells numbers such as the width of the PSF."""

    def __init__(self, numbers: int, width: int = 12) -> None:
        super().__init__()
        widths = (1, width, 2 * width, 2 * width)
        self.layers = nn.ModuleList(
            nn.Conv2d(widths[k], widths[k + 1], 3, stride=1 if k == 0 else 2, padding=1) for k in range(3)
        )
        self.told = nn.Linear(2 * width, numbers)

    def features(self, picture: Tensor) -> list[Tensor]:
        """Features of a picture (n, 1, y, x) from fine to coarse; faint light counts as bright light does."""
        x, found = torch.asinh(10 * picture), []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            found.append(x)
        return found

    def forward(self, picture: Tensor) -> Tensor:
        """(n, 1, y, x) to (n, numbers)."""
        answer: Tensor = self.told(self.features(picture)[-1].mean((2, 3)))
        return answer


class Critic(nn.Module):
    """Whether features look like those of true pictures: above zero they do. It sees places of two layers, one by one."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, 16, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 1, 1)) for w in (2 * width, 2 * width)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """Mean score (n,)."""
        scores = [head(each).mean((1, 2, 3)) for head, each in zip(self.heads, features[1:], strict=True)]
        return torch.stack(scores).mean(0)
