"""How much darker than black a sky is beside its target: the ringing of a wrong PSF or a wrong noise."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.sky.finish import without_negative_light

Image = NDArray[np.float32]

BLACK = 0.02
"""Light up to this fraction of the target's counts as black."""
MIN_BLACK_SHARE = 0.25
"""Smallest share of black pixels of a stack whose target stands on black: shadows on the Moon are truly darker than it shows."""
MAX_STACK_UNDERSHOOT = 0.01
"""A stack that is itself darker than its dark level by more has no black to compare with."""
DARKEST_PERCENT = 0.1
"""Percentage of the pixels that may be darker: single pixels are noise."""
SMOOTH_PX = 1.0


def undershoot(sky: Image, stack: Image) -> float | None:
    """Deepest light of a sky (y, x) below the stack's dark level, as a fraction of the target's light.

    None where the stack has no black: there a sharper picture may well be darker than the stack.
    """
    dark, bright = np.percentile(stack, (1, 99.9))
    light = float(bright - dark)
    if light <= 0 or float((stack < dark + BLACK * light).mean()) < MIN_BLACK_SHARE:
        return None
    below_stack, below_sky = (
        float(dark - np.percentile(ndimage.gaussian_filter(each, SMOOTH_PX), DARKEST_PERCENT)) / light
        for each in (stack, sky)
    )
    return None if below_stack > MAX_STACK_UNDERSHOOT else max(0.0, below_sky)


def above_black(picture: Image, stack: Image, most: float) -> Image:
    """The picture (y, x) without light below the stack's dark level, its sum kept, where its undershoot exceeds `most`."""
    below = undershoot(picture, stack)
    if below is None or below <= most:
        return picture
    return without_negative_light(picture, float(np.percentile(stack, 1)))
