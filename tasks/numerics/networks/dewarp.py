"""dewarp: a field of shifts between a frame and the reference, from matching costs and a learned regulariser."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.tiles import in_tiles

Image = NDArray[np.float32]
Field = NDArray[np.float32]
REACH_PX = 3
"""Shifts around the classical field whose matching costs are computed."""
WINDOW_PX = 7
"""Side of the window over which a matching cost is averaged."""
SHARPNESS = 8.0
"""How strongly the best match outweighs the others in the first guess."""


class DewarpNet(nn.Module):
    """Costs of shifts around the classical field, and a net that turns them into dy, dx and the logarithm of their error."""

    inputs, outputs, conditions = 2, 3, 0

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        side = 2 * REACH_PX + 1
        self.body = GatedUNet((side * side + 4, 3), width, self.conditions, dilations=(1, 2))
        steps = torch.arange(-REACH_PX, REACH_PX + 1, dtype=torch.float32)
        offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, inputs: Tensor, classical: Tensor, conditions: Tensor) -> Tensor:
        """inputs (n, 2, y, x): frame and reference of unit contrast; classical (n, 2, y, x) dy, dx px.

        Returns (n, 3, y, x): dy, dx and the logarithm of their error in px.
        """
        frame, reference = warped(inputs[:, :1], classical), inputs[:, 1:2]
        cost = matching_costs(frame, reference)
        weight = torch.softmax(-SHARPNESS * cost, 1)
        guess = torch.einsum("nkyx,kc->ncyx", weight, self.offsets)
        change = self.body(torch.cat([cost, guess, frame, reference], 1), conditions)
        return torch.cat([classical + change[:, :2], change[:, 2:]], 1)


def matching_costs(frame: Tensor, reference: Tensor) -> Tensor:
    """Costs (n, shift, y, x): mean squared difference around each pixel for every whole shift, over its local contrast."""
    height, width = frame.shape[-2:]
    padded = nn.functional.pad(frame, (REACH_PX,) * 4, mode="replicate")
    side = 2 * REACH_PX + 1
    moved = [padded[:, :, dy : dy + height, dx : dx + width] for dy in range(side) for dx in range(side)]
    square = (torch.cat(moved, 1) - reference) ** 2
    cost = nn.functional.avg_pool2d(square, WINDOW_PX, 1, WINDOW_PX // 2, count_include_pad=False)
    return cost / (cost.mean(1, keepdim=True) + 1e-4)


def warped(pictures: Tensor, field: Tensor) -> Tensor:
    """Pictures (n, c, y, x) read at p + field(p), field (n, 2, y, x) dy, dx px; beyond the border the border is read."""
    height, width = pictures.shape[-2:]
    rows = torch.arange(height, dtype=field.dtype)[None, :, None] + field[:, 0]
    columns = torch.arange(width, dtype=field.dtype)[None, None] + field[:, 1]
    grid = torch.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], -1)
    return nn.functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=True)


def unit_contrast(frame: Image, reference: Image) -> Image:
    """Frame and reference (2, y, x), the reference with mean 0 and standard deviation 1, the frame by the same measure."""
    level, spread = float(reference.mean()), max(float(reference.std()), 1e-30)
    return np.asarray((np.stack([frame, reference]) - level) / spread, np.float32)


def refined(net: nn.Module, frame: Image, reference: Image, field: Field) -> tuple[Field, Image]:
    """The field (2, y, x) dy, dx px with reference(p) = frame(p + field(p)), and its error (y, x) in px."""
    planes = np.concatenate([unit_contrast(frame, reference), field])
    nothing = torch.zeros(1, 0)
    out = in_tiles(lambda x: net(x[:, :2], x[:, 2:], nothing), np.asarray(planes, np.float32))
    return out[:2], np.exp(np.clip(out[2], -6, 4))
