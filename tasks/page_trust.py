"""How far a round's sky can be trusted: where it fails to explain its frames, and how fine two halves of them agree."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from storage.page import Misfit
from tasks.field import Field
from tasks.numerics.inspection import halves_agree, misfit, noise_line
from tasks.numerics.likelihood import Sums
from tasks.numerics.models import transfer_functions
from tasks.numerics.sky import floor_of, wiener
from tasks.prepared import Prepared

FRAMES, BLOCK, CELLS = 24, 8, 2**23
"""Frames that are compared; at most so many at a time, and fewer of so large a canvas that they hold more cells."""


def misfit_of(clean: Prepared, field: Field, sky: Any, model: str, eye: tuple[float, float]) -> Misfit:
    """Compare the first frames of a solve_sky product with its model of them, on the canvas of `field`."""
    chosen = sky["frames"][:FRAMES]
    psfs = np.asarray(sky[f"psfs{field.channel}"][: len(chosen)], np.float32)
    c, size = field.channel, field.size
    spectrum = wiener(_sums(sky, c), _floor(sky, c))
    few = int(np.clip(CELLS // size**2, 1, BLOCK))
    gain, read = noise_line(clean.take(chosen[:few])[:, c])
    inside = field.inside()
    top, left = (size - inside.shape[0]) // 2, (size - inside.shape[1]) // 2
    window = (slice(top, top + inside.shape[0]), slice(left, left + inside.shape[1]))
    variance = np.ones((size, size), np.float32)
    level = read + gain * field.stack
    variance[window] = np.maximum(level, 1e-3 * level.max())  # a line laid through the light may miss the dark

    def blocks() -> Iterator[tuple[NDArray[np.float32], torch.Tensor]]:
        for start in range(0, len(chosen), few):
            part = slice(start, start + few)
            transfer = transfer_functions(model, torch.from_numpy(psfs[part]), eye, size)
            yield field.frames(clean, chosen[part]), transfer

    ratio = misfit(blocks(), spectrum, field.taper, variance)
    whole = np.full(field.full.shape, np.nan, np.float32)
    whole[field.box] = ratio[window]
    return Misfit(whole, len(chosen))


def halves_of(sky: Any, channel: int) -> NDArray[np.float64]:
    """Correlation (ring,) of the skies from the two halves of the frames of a solve_sky product."""
    return halves_agree(_sums(sky, channel), _sums(sky, channel, "_half"), _floor(sky, channel))


def _sums(sky: Any, channel: int, tail: str = "") -> Sums:
    power, cross = (torch.from_numpy(sky[f"{name}{tail}"][channel]) for name in ("A", "B"))
    return Sums(power, cross, round(float(power[0, 0])))


def _floor(sky: Any, channel: int) -> torch.Tensor:
    power = torch.from_numpy(sky["sky_power"][channel])
    return floor_of(power, float(sky["noise"][channel]), sky["A"].shape[1])
