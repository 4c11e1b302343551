"""Colours laid on each other: how far the atmosphere has moved each of them, from the pictures themselves."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.fourier.canvas import border_level, canvas_size, centred, to_canvas, window
from tasks.numerics.fourier.rings import radius
from tasks.numerics.fourier.shifts import best_shift, phase_ramp, shift_frames
from tasks.numerics.fourier.windows import hann

Image = NDArray[np.float32]
F64 = NDArray[np.float64]
Features = Callable[[Image], NDArray[np.complex128]]
"""From a picture (y, x) to spectra (feature, y, x//2+1) that are alike in all colours."""

BAND_CPP = (0.04, 0.2)
"""cycles/px that register colours: coarser detail is of the limb's shading, finer detail of noise."""
WHITENING = 0.8
"""Power by which the brightness of a frequency is taken out: 1 weighs phases alike, 0 correlates the light."""
EDGE_SIGMA_PX, WEAK_EDGE = 2.5, 0.5
"""Blur before a gradient is taken; how steep an edge must be, as a share of the typical strong edge, to count half."""
EDGE_SIGMA_CPP, EDGE_SIGMA_LIMITS_PX = 0.22, (1.5, 3.0)
"""The same blur where the frequency is known from which colours are luma: this over it, within limits."""
MAX_OFFSET_PX = 24
"""Largest dispersion looked for."""
PASSES = 3
"""Each pass starts from the pictures as the last one moved them, so that the window cuts the same part of both."""
BIN_CPP, LAST_CPP = 0.0125, 0.35
"""Width of the rings that tell a colour's own detail from luma's, and where they end: beyond it there is noise."""
MIN_APART_PX = 0.3
"""Colours nearer to each other than this show luma's detail in its place wherever it is taken from."""
EDGE_POWER = 8
"""Steepness of the edge between the moved coarse part and the fine part that stays; a sharp one would ring."""


def colour_offsets(pictures: Image, reference: int, compressed: bool = False) -> NDArray[np.float32]:
    """By how much (channel, 2) px each picture (channel, y, x) must be moved onto the reference.

    Correlation of band-limited pictures, nearly whitened: colours differ most in their broad and bright features. Colours
    of compressed video share their fine detail, which is luma's and stands where it is: their edges are compared, blurred
    until that detail is gone.
    """
    offsets = np.zeros((len(pictures), 2), np.float32)
    for channel in range(len(pictures)):
        if channel == reference:
            continue
        pair = pictures[reference], pictures[channel]
        if not compressed:
            offsets[channel] = _offset(pair, _banded, WHITENING)
            continue
        offsets[channel] = _offset(pair, partial(_edges, sigma=EDGE_SIGMA_PX), 0.0)
        limit = _luma_from(*pair, offsets[channel])
        if np.isfinite(limit):
            sigma = float(np.clip(EDGE_SIGMA_CPP / limit, *EDGE_SIGMA_LIMITS_PX))
            offsets[channel] = _offset(pair, partial(_edges, sigma=sigma), 0.0)
    return offsets


def luma_limits(pictures: Image, reference: int, offsets: NDArray[np.float32]) -> F64:
    """Frequency (channel,) cycles/px from which a colour of compressed video is luma and stands where the reference does.

    Cameras record chroma at half the resolution, and coders spend hardly a bit on it. Infinite for the reference, and
    where colours lie on each other anyway.
    """
    found = [_luma_from(pictures[reference], picture, move) for picture, move in zip(pictures, offsets, strict=True)]
    return np.array([np.inf if channel == reference else each for channel, each in enumerate(found)])


def laid_on_each_other(pictures: Image, offsets: NDArray[np.float32], limits_cpp: F64 | None = None) -> Image:
    """Pictures (channel, y, x) moved by their offsets (channel, 2) px; those that need not move are left as they are.

    Of a channel with a limit only what is coarser is moved.
    """
    out = pictures.copy()
    for channel in np.flatnonzero(np.any(offsets != 0, axis=1)):
        picture, move = pictures[channel], offsets[channel][None]
        limit = np.inf if limits_cpp is None else limits_cpp[channel]
        coarse = _below(picture, limit) if np.isfinite(limit) else picture
        out[channel] = shift_frames(coarse[None, None], move)[0, 0] + (picture - coarse)
    return out


def _offset(pair: tuple[Image, Image], features: Features, whitening: float) -> NDArray[np.float32]:
    """By how much (2,) px the second picture must be moved onto the first."""
    first, moved, offset = features(pair[0]), pair[1], np.zeros(2, np.float32)
    for _ in range(PASSES):
        common = (first * np.conj(features(moved))).sum(0)
        cross = common / np.maximum(np.abs(common), 1e-30) ** whitening
        _, dy, dx = best_shift(cross.astype(np.complex64), 2 * (cross.shape[1] - 1), MAX_OFFSET_PX)
        offset += np.array((dy, dx), np.float32)
        moved = shift_frames(pair[1][None, None], offset[None])[0, 0]
    return offset


def _luma_from(reference: Image, picture: Image, offset: NDArray[np.float32]) -> float:
    """Where the rings below agree best with the reference when they are moved, and those beyond when they are not."""
    if float(np.hypot(*offset)) < MIN_APART_PX:
        return np.inf
    first, second = _spectrum(reference), _spectrum(picture)
    size = (len(first), len(first))
    ring = np.rint(radius(size) / BIN_CPP).astype(np.int64)
    count = round(LAST_CPP / BIN_CPP)

    def rings(values: NDArray[np.floating]) -> F64:
        return np.bincount(ring.ravel(), values.ravel(), minlength=count)[:count].astype(np.float64)

    cross = first * np.conj(second)
    power = np.sqrt(rings(np.abs(first) ** 2) * rings(np.abs(second) ** 2)) + 1e-30
    moved, still = (rings(each.real) / power for each in (cross * np.conj(phase_ramp(size, offset)), cross))
    gain = np.concatenate([[0.0], np.cumsum(moved - still)])  # of moving all rings below each
    best = int(np.argmax(gain))
    return np.inf if best == count else max(best, 1) * BIN_CPP


def _below(picture: Image, limit_cpp: float) -> Image:
    """What is coarser than the limit, filtered on the picture's mirror extension."""
    height, width = picture.shape
    mirrored = np.pad(picture, ((0, height), (0, width)), mode="symmetric")
    kept = 1 / (1 + (radius(mirrored.shape) / limit_cpp) ** EDGE_POWER)
    coarse = fft.irfft2(fft.rfft2(mirrored) * kept.astype(np.float32), s=mirrored.shape)
    return np.asarray(coarse[:height, :width], np.float32)


def _spectrum(picture: Image) -> NDArray[np.complex128]:
    """Spectrum (y, x//2+1) of a picture on the square canvas."""
    height, width = picture.shape
    size = canvas_size(height, width)
    light = to_canvas(picture[None], border_level(picture), window(height, width, size))[0]
    return np.asarray(fft.rfft2(light))


def _banded(picture: Image) -> NDArray[np.complex128]:
    """Spectrum (1, y, x//2+1) of a picture on the square canvas, limited to the band."""
    spectrum = _spectrum(picture)
    f = radius((len(spectrum), len(spectrum)))
    band = (1 - np.exp(-((f / BAND_CPP[0]) ** 2))) * np.exp(-((f / BAND_CPP[1]) ** 2))
    return np.asarray(spectrum * band)[None]


def _edges(picture: Image, sigma: float) -> NDArray[np.complex128]:
    """Spectra (2, y, x//2+1) of the gradient along y and x, strong edges nearly alike, weak ones as their square.

    What is strong is said by the edges that hold most of the gradients' power, however small a part of the picture they
    fill: a lattice of a coder all over a dark sky does not raise its own weight.
    """
    slopes = np.stack(np.gradient(ndimage.gaussian_filter(picture.astype(np.float64), sigma)))
    steep = np.hypot(*slopes)
    strong = (steep**4).sum() / max(float((steep**2).sum()), 1e-30)  # mean square, weighted by the square
    slopes = slopes * steep / (steep**2 + WEAK_EDGE**2 * strong + 1e-30) * hann(picture.shape)
    size = canvas_size(*picture.shape)
    canvas = np.zeros((2, size, size))
    canvas[:, *centred(picture.shape, size)] = slopes
    return np.asarray(fft.rfft2(canvas))
