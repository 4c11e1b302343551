"""Colours laid on each other: how far the atmosphere has moved each of them, from the pictures themselves."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.fourier.canvas import border_level, canvas_size, to_canvas, window
from tasks.numerics.fourier.rings import radius
from tasks.numerics.fourier.shifts import best_shift, shift_frames

Image = NDArray[np.float32]

BAND_CPP = (0.04, 0.2)
"""cycles/px that register colours: coarser detail is of the limb's shading, finer detail of noise."""
WHITENING = 0.8
"""Power by which the brightness of a frequency is taken out: 1 weighs phases alike, 0 correlates the light."""
MAX_OFFSET_PX = 24
"""Largest dispersion looked for."""
PASSES = 3
"""Each pass starts from the pictures as the last one moved them, so that the window cuts the same part of both."""


def colour_offsets(pictures: Image, reference: int) -> NDArray[np.float32]:
    """By how much (channel, 2) px each picture (channel, y, x) must be moved onto the reference.

    Correlation of band-limited pictures, nearly whitened: colours differ most in their broad and bright features.
    """
    offsets = np.zeros((len(pictures), 2), np.float32)
    first = _banded(pictures[reference])
    for channel, picture in enumerate(pictures):
        for _ in range(PASSES if channel != reference else 0):
            moved = shift_frames(picture[None, None], offsets[channel][None])[0, 0]
            other = _banded(moved)
            common = first * np.conj(other)
            cross = common / np.maximum(np.abs(common), 1e-30) ** WHITENING
            _, dy, dx = best_shift(cross.astype(np.complex64), 2 * (cross.shape[1] - 1), MAX_OFFSET_PX)
            offsets[channel] += (dy, dx)
    return offsets


def laid_on_each_other(pictures: Image, offsets: NDArray[np.float32]) -> Image:
    """Pictures (channel, y, x) moved by their offsets (channel, 2) px; those that need not move are left as they are."""
    out = pictures.copy()
    for channel in np.flatnonzero(np.any(offsets != 0, axis=1)):
        out[channel] = shift_frames(pictures[channel][None, None], offsets[channel][None])[0, 0]
    return out


def _banded(picture: Image) -> NDArray[np.complex128]:
    """Spectrum (y, x//2+1) of a picture on the square canvas, limited to the band."""
    height, width = picture.shape
    size = canvas_size(height, width)
    light = to_canvas(picture[None], border_level(picture), window(height, width, size))[0]
    f = radius((size, size))
    band = (1 - np.exp(-((f / BAND_CPP[0]) ** 2))) * np.exp(-((f / BAND_CPP[1]) ** 2))
    return np.asarray(fft.rfft2(light) * band)
