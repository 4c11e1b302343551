"""dewarp: a field of shifts between a frame and the reference, from matching costs and a learned regulariser."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.light import contrast
from tasks.numerics.networks.tiles import answer

Image = NDArray[np.float32]
Field = NDArray[np.float32]
REACH_PX = 2
"""Shifts around the middle one of the proposed fields whose matching costs are computed."""
WINDOW_PX = 7
"""Side of the window over which a matching cost is averaged."""
SHARPNESS = 8.0
"""How strongly the best match outweighs the others in the first guess."""
PROPOSAL_WINDOWS_PX = (7, 13, 21)
"""Windows over which the light of frame and reference is matched, from the finest to the smoothest proposed field."""
PROPOSAL_PASSES = 2
"""How often a proposed field is corrected."""
STIFFNESS = 0.002
"""Squared slope of the light, contrasts per px, below which a place hardly moves."""


class DewarpNet(nn.Module):
    """Proposed fields and matching costs around them, and a net that weighs them; gives dy, dx and the log of their error."""

    inputs, outputs, conditions = 2, 3, 0

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        side, proposals = 2 * REACH_PX + 1, len(PROPOSAL_WINDOWS_PX)
        self.body = GatedUNet(
            (side * side + 4 * proposals + 4, proposals + 3), width, self.conditions, dilations=(1, 2)
        )
        steps = torch.arange(-REACH_PX, REACH_PX + 1, dtype=torch.float32)
        offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, inputs: Tensor, classical: Tensor, conditions: Tensor) -> Tensor:
        """inputs (n, 2, y, x): frame and reference of unit contrast; classical (n, 2, y, x) dy, dx px.

        Returns (n, 3, y, x): dy, dx and the logarithm of their error in px.
        """
        frame, reference = inputs[:, :1], inputs[:, 1:2]
        proposed = [proposal(frame, reference, classical, window) for window in PROPOSAL_WINDOWS_PX]
        changes = [field - classical for field, _ in proposed]
        misses = [box_mean((warped(frame, field) - reference) ** 2, WINDOW_PX) for field, _ in proposed]
        moved = warped(frame, proposed[len(proposed) // 2][0])
        cost = matching_costs(moved, reference)
        guess = torch.einsum("nkyx,kc->ncyx", torch.softmax(-SHARPNESS * cost, 1), self.offsets)
        hints = [*changes, *misses, *(hints for _, hints in proposed)]
        out = self.body(torch.cat([cost, guess, moved, reference, *hints], 1), conditions)
        field = classical + out[:, :2]
        for number, change in enumerate(changes):
            field = field + out[:, 3 + number : 4 + number] * change
        return torch.cat([field, out[:, 2:3]], 1)


def proposal(frame: Tensor, reference: Tensor, field: Tensor, window_px: int) -> tuple[Tensor, Tensor]:
    """A field (n, 2, y, x) corrected by the slopes of the light (after Lucas and Kanade), and how much they tell (n, 1, y, x)."""
    misfit = torch.zeros_like(frame)
    for _ in range(PROPOSAL_PASSES):
        moved = warped(frame, field)
        step, misfit = slope_step(moved, reference, window_px)
        field = field + step
    return field, misfit


def slope_step(moved: Tensor, reference: Tensor, window_px: int) -> tuple[Tensor, Tensor]:
    """The shift (n, 2, y, x) that best explains the difference by the slopes around, and the log of how much they tell."""
    mean = nn.functional.pad((moved + reference) / 2, (1, 1, 1, 1), mode="replicate")
    dy = (mean[:, :, 2:, 1:-1] - mean[:, :, :-2, 1:-1]) / 2
    dx = (mean[:, :, 1:-1, 2:] - mean[:, :, 1:-1, :-2]) / 2
    short = reference - moved
    sums = box_mean(torch.cat([dy * dy, dy * dx, dx * dx, dy * short, dx * short], 1), window_px)
    yy, yx, xx, ys, xs = sums.chunk(5, 1)
    yy, xx = yy + STIFFNESS, xx + STIFFNESS
    scale = yy * xx - yx * yx
    step = torch.cat([(xx * ys - yx * xs) / scale, (yy * xs - yx * ys) / scale], 1)
    return step.clamp(-1, 1), torch.log10(scale / (yy + xx))


def box_mean(planes: Tensor, window_px: int) -> Tensor:
    """Mean (n, c, y, x) over a window of an odd side, along one axis after the other."""
    half = window_px // 2
    rows = nn.functional.avg_pool2d(planes, (window_px, 1), 1, (half, 0), count_include_pad=False)
    return nn.functional.avg_pool2d(rows, (1, window_px), 1, (0, half), count_include_pad=False)


def matching_costs(frame: Tensor, reference: Tensor) -> Tensor:
    """Costs (n, shift, y, x): mean squared difference around each pixel for every whole shift, over its local contrast."""
    height, width = frame.shape[-2:]
    padded = nn.functional.pad(frame, (REACH_PX,) * 4, mode="replicate")
    side = 2 * REACH_PX + 1
    moved = [padded[:, :, dy : dy + height, dx : dx + width] for dy in range(side) for dx in range(side)]
    square = (torch.cat(moved, 1) - reference) ** 2
    cost = box_mean(square, WINDOW_PX)
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
    return contrast(reference).of(np.stack([frame, reference]))


def refined(net: nn.Module, frame: Image, reference: Image, field: Field) -> tuple[Field, Image]:
    """The field (2, y, x) dy, dx px with reference(p) = frame(p + field(p)), and its error (y, x) in px."""
    found = answer(net, unit_contrast(frame, reference), field)
    return found[:2], np.exp(np.clip(found[2], -6, 4))
