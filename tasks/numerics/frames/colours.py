"""Colours laid on each other: how far the atmosphere has moved each of them, from the pictures themselves."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.fourier.canvas import border_level, canvas_size, centred, to_canvas, window
from tasks.numerics.fourier.rings import radius
from tasks.numerics.fourier.shifts import best_shift, shift_frames
from tasks.numerics.fourier.windows import hann

Image = NDArray[np.float32]

BAND_CPP = (0.04, 0.2)
"""cycles/px that register colours: coarser detail is of the limb's shading, finer detail of noise."""
WHITENING = 0.8
"""Power by which the brightness of a frequency is taken out: 1 weighs phases alike, 0 correlates the light."""
EDGE_SIGMA_PX, WEAK_EDGE = 1.5, 0.15
"""Blur before a gradient is taken; how steep an edge must be, as a share of the steepest, to count half."""
MAX_OFFSET_PX = 24
"""Largest dispersion looked for."""
PASSES = 3
"""Each pass starts from the pictures as the last one moved them, so that the window cuts the same part of both."""


def colour_offsets(pictures: Image, reference: int, compressed: bool = False) -> NDArray[np.float32]:
    """By how much (channel, 2) px each picture (channel, y, x) must be moved onto the reference.

    Correlation of band-limited pictures, nearly whitened: colours differ most in their broad and bright features. Colours
    of compressed video share their fine detail, which is luma's and stands where it is: their edges are compared.
    """
    offsets = np.zeros((len(pictures), 2), np.float32)
    features, whitening = (_edges, 0.0) if compressed else (_banded, WHITENING)
    first = features(pictures[reference])
    for channel, picture in enumerate(pictures):
        for _ in range(PASSES if channel != reference else 0):
            moved = shift_frames(picture[None, None], offsets[channel][None])[0, 0]
            common = (first * np.conj(features(moved))).sum(0)
            cross = common / np.maximum(np.abs(common), 1e-30) ** whitening
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
    """Spectrum (1, y, x//2+1) of a picture on the square canvas, limited to the band."""
    height, width = picture.shape
    size = canvas_size(height, width)
    light = to_canvas(picture[None], border_level(picture), window(height, width, size))[0]
    f = radius((size, size))
    band = (1 - np.exp(-((f / BAND_CPP[0]) ** 2))) * np.exp(-((f / BAND_CPP[1]) ** 2))
    return np.asarray(fft.rfft2(light) * band)[None]


def _edges(picture: Image) -> NDArray[np.complex128]:
    """Spectra (2, y, x//2+1) of the gradient along y and x, strong edges and weak ones nearly alike."""
    slopes = np.stack(np.gradient(ndimage.gaussian_filter(picture.astype(np.float64), EDGE_SIGMA_PX)))
    steep = np.hypot(*slopes)
    slopes = slopes / (steep + WEAK_EDGE * np.percentile(steep, 97) + 1e-30) * hann(picture.shape)
    size = canvas_size(*picture.shape)
    canvas = np.zeros((2, size, size))
    canvas[:, *centred(picture.shape, size)] = slopes
    return np.asarray(fft.rfft2(canvas))
