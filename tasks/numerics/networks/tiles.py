"""A net over a picture of any size, in tiles that overlap by more than the net sees: the tiles give what the whole would."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Planes = NDArray[np.float32]
MULTIPLE_PX = 4
"""Sides of what a net is given, and places of tiles, are multiples of this: it halves the grid twice."""
TILE_PX, HALO_PX = 256, 48
"""Side of a tile's own part, and its border: more than the nets see to one side."""


def answer(net: nn.Module, inputs: Planes, classical: Planes, conditions: Sequence[float] = ()) -> Planes:
    """A net's answer (out, y, x) to inputs (in, y, x) and a classical answer (c, y, x) of any size, told some numbers."""
    numbers, first = torch.tensor([list(conditions)], dtype=torch.float32), len(inputs)
    both = np.asarray(np.concatenate([inputs, classical]), np.float32)
    return in_tiles(lambda planes: net(planes[:, :first], planes[:, first:], numbers), both)


def in_tiles(run: Callable[[Tensor], Tensor], planes: Planes, tile: int = TILE_PX, halo: int = HALO_PX) -> Planes:
    """Run a net, a function of (1, in, y, x), over planes (in, y, x) of any size; every pixel comes from one tile."""
    if tile % MULTIPLE_PX or halo % MULTIPLE_PX:
        raise ValueError(f"tiles of {tile} px with a border of {halo} px: both must be multiples of {MULTIPLE_PX}")
    height, width = planes.shape[1:]
    extra = [(0, 0), (0, -height % MULTIPLE_PX), (0, -width % MULTIPLE_PX)]
    padded = np.pad(planes, extra, mode="edge")
    result: Planes | None = None
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            up, before = max(top - halo, 0), max(left - halo, 0)
            piece = padded[:, up : top + tile + halo, before : left + tile + halo]
            with torch.no_grad():
                out = run(torch.from_numpy(np.ascontiguousarray(piece))[None])[0].numpy()
            if result is None:
                result = np.empty((len(out), *padded.shape[1:]), np.float32)
            own = out[:, top - up : top - up + tile, left - before : left - before + tile]
            result[:, top : top + own.shape[1], left : left + own.shape[2]] = own
    assert result is not None
    return result[:, :height, :width]
