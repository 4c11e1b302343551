"""What a solve_sky product is made of: its frames, the two halves of the solve, and how far their skies agree."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.sky.half_agreement import HalfSums, common_power_fraction
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import floor_of


def frames_in(turn: Any) -> int:
    """How many frames an open product of a round is about; several starts solve the same ones."""
    return len(np.unique(turn["frames"][:]))


def halves_agree(sky: Any, channel: int) -> NDArray[np.float64]:
    """Share (ring,) of the power of an open solve_sky product's sky that its halves agree on, up to half a cycle per pixel."""
    found = halves_in(sky, channel)
    share = common_power_fraction(found, floor_in(sky, channel))
    return np.asarray(share[: sky["A"].shape[1] // 2 + 1].numpy(), np.float64)


def halves_in(sky: Any, channel: int) -> HalfSums:
    """The sums of an open solve_sky product."""
    total, half = (sums_in(sky, channel, tail) for tail in ("", "_half"))
    return HalfSums(total, half, float(sky["shared"][channel]), float(sky["noise"][channel]))


def sums_in(sky: Any, channel: int, tail: str = "") -> Sums:
    """Sums over all frames of an open solve_sky product; with the tail `_half` over those of one half."""
    power, cross = (torch.from_numpy(sky[f"{name}{tail}"][channel]) for name in ("A", "B"))
    return Sums(power, cross, round(float(power[0, 0])))


def floor_in(sky: Any, channel: int) -> torch.Tensor:
    """Noise over sky power (y, x//2+1), as an open solve_sky product found them."""
    power = torch.from_numpy(sky["sky_power"][channel])
    return floor_of(power, float(sky["noise"][channel]), sky["A"].shape[1])
