"""The last touches of a sky on the frame's grid: the border fades into the stack, the light is the stack's."""

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.sky.wiener import positive

Image = NDArray[np.float32]


def fade_border(sky: Image, stack: Image, inside: Image, steepness: float) -> Image:
    """A sky (y, x) that turns into the stack at the border, where little is known.

    `inside` (y, x) rises from zero at the border to one; the sky is whole where it exceeds 1 / `steepness`.
    """
    share = np.minimum(1, steepness * inside)
    return np.asarray(share * sky + (1 - share) * stack, np.float32)


def match_flux(sky: Image, stack: Image, background: float) -> Image:
    """The sky (y, x) times the factor that gives it the stack's light above the background."""
    light, wanted = float((sky - background).sum()), float((stack - background).sum())
    gain = wanted / light if light > 0 and wanted > 0 else 1.0
    return np.asarray((sky - background) * gain + background, np.float32)


def without_negative_light(sky: Image, background: float) -> Image:
    """The sky (y, x) without light below the background, its sum kept."""
    return np.asarray(positive(torch.from_numpy(sky) - background).numpy() + background, np.float32)
