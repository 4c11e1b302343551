"""The square canvas on which spectra are taken: frames on it with tapered borders, and the way back to the frame."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.fft import next_fast_len

from tasks.numerics.fourier.windows import edge_taper

Image = NDArray[np.float32]
Box = tuple[slice, slice]
MIN_BOX_PX = 192
"""Smallest side to which a frame is cut: PSFs are wide, 192 px hold 99 % of their light at D/r0 = 16."""
MAX_SHARE = 0.8
"""Largest share of the canvas that a smaller square may need; above it the whole canvas is used, as little time is saved."""
MAX_SHARE_OF_FREQUENCIES = 0.9
"""The same of the side of a canvas of wider pixels."""
MIN_BRIGHTNESS = 0.02
"""Light below this fraction of the target's counts as sky background."""


def centred(shape: tuple[int, int], size: int) -> Box:
    """Rows and columns that a frame of `shape` (y, x) covers in the middle of a canvas of `size`."""
    top, left = ((size - side) // 2 for side in shape)
    return slice(top, top + shape[0]), slice(left, left + shape[1])


def canvas_size(height: int, width: int, period: int = 1) -> int:
    """Side of the canvas: even, whole periods of a mask, a product of small primes, and no smaller than the frame."""
    return fast_even(max(height, width), period)


def fast_even(size: int, period: int = 1) -> int:
    """The smallest even multiple of `period`, and product of small primes, that is at least `size`: fast to transform."""
    while size % 2 or size % period or next_fast_len(size, real=True) != size:
        size += 1
    return size


def sufficient_size(size: int, diameter: float) -> int:
    """Side of the smallest canvas, in wider pixels, that holds the frequencies of a pupil of `diameter` cells.

    The canvas of `size` itself where a smaller one would save little.
    """
    smaller = fast_even(math.ceil(2 * diameter) + 2)
    return smaller if smaller <= MAX_SHARE_OF_FREQUENCIES * size else size


def psf_size(size: int, diameter: float, d_over_r0: float) -> int:
    """Side in px of the square that holds a PSF, on a canvas of `size` where the pupil has `diameter` cells.

    Seeing spreads a point over D/r0 times the diffraction limit: eight times that, and never below 48 diffraction
    limits, hold 98 to 99 % of the light. The whole canvas where a smaller square would save little.
    """
    width = int(np.ceil(max(48.0, 8 * d_over_r0) * size / diameter))
    side = canvas_size(width, width)
    return side if side <= MAX_SHARE * size else size


def target_box(stack: Image) -> Box:
    """Rows and columns of a stack (y, x) that hold an isolated target and the light that seeing spread around it.

    The whole frame where the target fills most of it, or where a cut would save little.
    """
    low, high = np.percentile(stack, (1, 99.9))
    smooth = ndimage.gaussian_filter(stack, 2.0, mode="nearest")
    noise = float(np.std((stack - smooth)[smooth < low + 0.02 * (high - low)])) if high > low else 0.0
    lit = smooth > low + max(MIN_BRIGHTNESS * (high - low), 3 * noise)
    sides = []
    for axis, n in ((1, stack.shape[0]), (0, stack.shape[1])):
        bright = np.flatnonzero(lit.any(axis=axis))
        first, last = (int(bright[0]), int(bright[-1]) + 1) if len(bright) else (0, n)
        length = max(last - first + 2 * max(32, (last - first) // 3), MIN_BOX_PX)
        start = max(0, min((first + last - length) // 2, n - length))
        sides.append((start, min(n, start + length)))
    size = canvas_size(*(stop - start for start, stop in sides))
    if size > MAX_SHARE * canvas_size(*stack.shape):
        return slice(0, stack.shape[0]), slice(0, stack.shape[1])
    return slice(*sides[0]), slice(*sides[1])


def border_level(picture: Image) -> float:
    """Mean light of a picture (y, x) along its border: the level to which the taper falls, the sky around a planet."""
    height, width = picture.shape
    inner = np.zeros(picture.shape, bool)
    inner[height // 16 : height - height // 16, width // 16 : width - width // 16] = True
    return float(picture[~inner].mean()) if not inner.all() else float(picture.mean())


def window(height: int, width: int, size: int) -> Image:
    """The edge taper of a frame (y, x) on a canvas (size, size): one inside the frame, zero beyond it."""
    out = np.zeros((size, size), np.float32)
    out[centred((height, width), size)] = edge_taper((height, width))
    return out


def to_canvas(frames: Image, level: float, taper: Image) -> Image:
    """Frames (frame, y, x) on the canvas (frame, size, size): `level` subtracted, tapered."""
    height, width = frames.shape[-2:]
    out = np.zeros((len(frames), *taper.shape), np.float32)
    out[:, *centred((height, width), len(taper))] = frames - np.float32(level)
    return out * taper


def from_canvas(sky: Image, stack: Image, level: float, taper: Image) -> Image:
    """A sky (size, size) on the frame's grid (y, x); the stack takes the complement of the taper's weight."""
    inside = centred((stack.shape[0], stack.shape[1]), len(taper))
    return np.asarray(sky[inside] + level + (1 - taper[inside]) * (stack - level), np.float32)
