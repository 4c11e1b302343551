"""Multi-scale sharpening: the layers of an undecimated (a trous) wavelet transform, each with a factor of its own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]

B3_SPLINE = (1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16)
"""Smoothing kernel of one layer; its taps move apart by a factor of two from layer to layer."""


def layers_of(picture: Image, count: int) -> tuple[list[Image], Image]:
    """The wavelet layers of a picture (y, x), from the finest, and what is left; all of them add up to the picture."""
    layers, smooth = [], np.asarray(picture, np.float32)
    for number in range(count):
        kernel = np.zeros(4 * 2**number + 1, np.float32)
        kernel[:: 2**number] = B3_SPLINE
        coarser = ndimage.convolve1d(ndimage.convolve1d(smooth, kernel, 0, mode="reflect"), kernel, 1, mode="reflect")
        layers.append(np.asarray(smooth - coarser, np.float32))
        smooth = np.asarray(coarser, np.float32)
    return layers, smooth


def with_factors(picture: Image, factors: Sequence[float]) -> Image:
    """The picture (y, x) with its wavelet layers multiplied, the finest first; factors of 1 leave it bit by bit."""
    if all(factor == 1 for factor in factors):
        return picture
    layers, _ = layers_of(picture, len(factors))
    change = sum((np.float32(f - 1) * layer for f, layer in zip(factors, layers, strict=True)), np.zeros_like(picture))
    return np.asarray(picture + change, np.float32)
