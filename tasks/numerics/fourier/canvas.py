"""The square on which spectra are taken: frames laid on it with tapered borders, and the way back."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.fft import next_fast_len

Image = NDArray[np.float32]
Box = tuple[slice, slice]
LEAST_BOX = 192
"""Smallest side in px to which a frame is cut: PSFs are wide, 192 px hold 99 % of their light at D/r0 = 16."""
WORTH = 0.8
"""PSFs that need more than this share of the canvas are made on the whole of it: transforms would hardly be shorter."""
FAINT = 0.02
"""Light below this share of the target's is taken for the sky's."""
TAPER = 8  # the outer 1/8 of each side falls to the border's level: a sky that fills the frame goes on past it


def canvas_size(height: int, width: int) -> int:
    """Side of the canvas: even, a product of small primes, and no smaller than the frame."""
    size = max(height, width)
    while size % 2 or next_fast_len(size, real=True) != size:
        size += 1
    return size


def psf_size(size: int, diameter: float, d_over_r0: float) -> int:
    """Side in px of the square that holds a PSF, on a canvas of `size` where the pupil has `diameter` cells.

    The air spreads a point over D/r0 times the telescope's own width: eight times that, and never below 48 of the
    telescope's, hold all but one or two hundredths of the light. The whole canvas where little would be won.
    """
    width = int(np.ceil(max(48.0, 8 * d_over_r0) * size / diameter))
    least = canvas_size(width, width)
    return least if least <= WORTH * size else size


def lone_box(stack: Image) -> Box:
    """Rows and columns of a stack (y, x) that hold a lone target and the light the air spread around it.

    The whole frame where the target fills most of it, or where little would be won.
    """
    low, high = np.percentile(stack, (1, 99.9))
    smooth = ndimage.gaussian_filter(stack, 2.0, mode="nearest")
    noise = float(np.std((stack - smooth)[smooth < low + 0.02 * (high - low)])) if high > low else 0.0
    lit = smooth > low + max(FAINT * (high - low), 3 * noise)
    sides = []
    for axis, n in ((1, stack.shape[0]), (0, stack.shape[1])):
        found = np.flatnonzero(lit.any(axis=axis))
        first, last = (int(found[0]), int(found[-1]) + 1) if len(found) else (0, n)
        room = max(last - first + 2 * max(32, (last - first) // 3), LEAST_BOX)
        start = max(0, min((first + last - room) // 2, n - room))
        sides.append((start, min(n, start + room)))
    size = canvas_size(*(stop - start for start, stop in sides))
    if size > 0.8 * canvas_size(*stack.shape):
        return slice(0, stack.shape[0]), slice(0, stack.shape[1])
    return slice(*sides[0]), slice(*sides[1])


def border_level(picture: Image) -> float:
    """Light (y, x) at the border of a picture: what the taper falls to. On a lone planet that is the dark sky."""
    height, width = picture.shape
    inner = np.zeros(picture.shape, bool)
    inner[height // 16 : height - height // 16, width // 16 : width - width // 16] = True
    return float(picture[~inner].mean()) if not inner.all() else float(picture.mean())


def window(height: int, width: int, size: int) -> Image:
    """Taper (size, size): one inside the frame, a sine squared over the outer eighth of each side, zero beyond."""
    out = np.zeros((size, size), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    out[top : top + height, left : left + width] = np.outer(_slope(height), _slope(width))
    return out


def _slope(n: int) -> NDArray[np.float64]:
    rise = np.sin((np.arange(n // TAPER) + 0.5) / max(1, n // TAPER) * np.pi / 2) ** 2
    flat = np.ones(n)
    flat[: len(rise)], flat[n - len(rise) :] = rise, rise[::-1]
    return flat


def lay(frames: Image, level: float, taper: Image) -> Image:
    """Frames (frame, y, x) on the canvas (frame, size, size): the border's level off, tapered."""
    height, width = frames.shape[-2:]
    size = len(taper)
    top, left = (size - height) // 2, (size - width) // 2
    out = np.zeros((len(frames), size, size), np.float32)
    out[:, top : top + height, left : left + width] = frames - np.float32(level)
    return out * taper


def lift(sky: Image, stack: Image, level: float, taper: Image) -> Image:
    """A sky (size, size) solved on the canvas, back on the frame's grid (y, x); where it was tapered, the stack fills in."""
    height, width = stack.shape
    size = len(taper)
    top, left = (size - height) // 2, (size - width) // 2
    inside = (slice(top, top + height), slice(left, left + width))
    return np.asarray(sky[inside] + level + (1 - taper[inside]) * (stack - level), np.float32)
