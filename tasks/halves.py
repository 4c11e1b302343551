"""How fine two halves of the frames agree on a sky: from the sums of a solve_sky product."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.inspection import halves_agree
from tasks.numerics.likelihood import Sums
from tasks.numerics.sky import floor_of


def halves_of(sky: Any, channel: int) -> NDArray[np.float64]:
    """Correlation (ring,) of the skies from the two halves of the frames of an open solve_sky product."""
    return halves_agree(sums_in(sky, channel), sums_in(sky, channel, "_half"), floor_in(sky, channel))


def sums_in(sky: Any, channel: int, tail: str = "") -> Sums:
    """Sums over all frames of an open solve_sky product; with the tail `_half` over every second one."""
    power, cross = (torch.from_numpy(sky[f"{name}{tail}"][channel]) for name in ("A", "B"))
    return Sums(power, cross, round(float(power[0, 0])))


def floor_in(sky: Any, channel: int) -> torch.Tensor:
    """Noise over sky power (y, x//2+1), as an open solve_sky product found them."""
    power = torch.from_numpy(sky["sky_power"][channel])
    return floor_of(power, float(sky["noise"][channel]), sky["A"].shape[1])
