"""Mono skies taken through filters, one after the other, laid on each other as one colour sky."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.optimize import nnls

from tasks.numerics.finishing.scale import upscaled
from tasks.numerics.fourier.canvas import border_level, centred, fast_even, to_canvas, window
from tasks.numerics.fourier.rings import radius
from tasks.numerics.fourier.shifts import best_shift
from tasks.numerics.frames.colours import BAND_CPP, WHITENING, colour_offsets, laid_on_each_other
from tasks.numerics.robust import mad_sigma

Image = NDArray[np.float32]

MIN_SIDE_PX = 16
"""The area that all parts show is at least this wide and high."""
BORDER_PX = 1
"""Rows and columns that the move by a fraction of a pixel fills with a mirror image, and that are cut off."""
MAX_RATIO = 4.0
"""Largest factor, either way, by which luminance changes the brightness of a pixel."""
FLOOR_SHARE = 0.01
"""Light this faint, as a share of the brightest, has no colour of its own: the factor goes to one there."""
NOISE_FLOOR_SIGMA = 5.0
"""The same in units of the difference between luminance and colours."""
ALIKE = 0.05
"""Weight of equal shares of the colours in luminance, as a fraction of their light: grey light does not tell the shares."""
DARK_PERCENT, DARK_BLUR_PX = 1, 4.0
"""Percentile of a sky that counts as dark, after a blur, px."""


@dataclass(frozen=True)
class Placed:
    """Pictures of one size that show the same area."""

    pictures: Image
    """(part, y, x)."""
    beside: tuple[Image, ...]
    """Other pictures (part, y, x) of the same parts, moved as they are."""
    offsets: NDArray[np.float32]
    """(part, 2) px by which each was moved onto the reference, whole pixels included."""


def placed(
    pictures: Sequence[Image], beside: Sequence[Sequence[Image]], scales: Sequence[float], reference: int, align: bool
) -> Placed | None:
    """Pictures (y, x) of any size on the finest of their grids, cut to what all show, to a hundredth of a pixel.

    `scales` are the angles of their pixels in one unit; `beside` holds lists of pictures with the same grids. Without
    `align` their middles lie on each other. None where they have no area in common.
    """
    finest = min(scales)
    sets = [
        [upscaled(each, s / finest) for each, s in zip(those, scales, strict=True)] for those in (pictures, *beside)
    ]
    skies = sets[0]
    whole = [_whole_offset(skies[reference], sky) if align else _middles(skies[reference], sky) for sky in skies]
    boxes = _common(whole, [sky.shape for sky in skies])
    if boxes is None:
        return None
    cut = [np.stack([each[box] for each, box in zip(those, boxes, strict=True)]) for those in sets]
    fine = colour_offsets(cut[0], reference) if align else np.zeros((len(skies), 2), np.float32)
    inner = (slice(None), *(slice(BORDER_PX, n - BORDER_PX) for n in cut[0].shape[1:]))
    moved = [laid_on_each_other(each, fine)[inner] for each in cut]
    return Placed(moved[0], tuple(moved[1:]), np.array(whole, np.float32) + fine)


def with_luminance(colours: Image, luminance: Image) -> Image:
    """Colours (3, y, x) with the brightness of `luminance` (y, x), which has the sum of them in some proportion.

    Every pixel of all three is multiplied by one factor, so that its colour stays. Where light is no brighter than the
    noise the factor goes to one.
    """
    means = colours.mean(axis=(-2, -1), keepdims=True, dtype=np.float64)
    light, bright = colours - means, luminance - luminance.mean(dtype=np.float64)
    combined = np.tensordot(_shares(light, bright), light, axes=1)
    dark = _dark(combined)
    floor = max(FLOOR_SHARE * float(np.ptp(combined)), NOISE_FLOOR_SIGMA * mad_sigma(bright - combined), 1e-30)
    factor = np.maximum(bright - dark + floor, 0) / np.maximum(combined - dark + floor, floor / 2)
    change = np.clip((bright - dark) / floor, 0, 1) * (np.clip(factor, 1 / MAX_RATIO, MAX_RATIO) - 1)
    zero = np.stack([_dark(plane) for plane in colours])[:, None, None]
    return np.asarray(colours + (colours - zero) * change, np.float32)


def _shares(light: NDArray[np.float64], bright: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each of the colours (3, y, x) is in the luminance (y, x): not below zero, as alike as the light allows."""
    planes = light.reshape(len(light), -1)
    normal, common = planes @ planes.T, planes @ bright.ravel()
    alike = max(float(common.sum() / max(float(normal.sum()), 1e-30)), 0.0)
    pull = ALIKE * float(np.trace(normal)) / len(light) * np.eye(len(light))
    return np.asarray(nnls(normal + pull, common + pull @ np.full(len(light), alike))[0])


def _dark(plane: NDArray[np.floating]) -> NDArray[np.float64]:
    """Level of the dark sky of a picture (y, x), hardly moved by its noise."""
    smooth = ndimage.gaussian_filter(np.asarray(plane, np.float64), DARK_BLUR_PX)
    return np.asarray(np.percentile(smooth, DARK_PERCENT))


def _middles(reference: Image, picture: Image) -> tuple[int, int]:
    """Whole pixels that lay the middle of a picture on that of the reference."""
    dy, dx = ((a - b) // 2 for a, b in zip(reference.shape, picture.shape, strict=True))
    return dy, dx


def _whole_offset(reference: Image, picture: Image) -> tuple[int, int]:
    """Whole pixels by which a picture must be moved onto the reference, however far, both of any size."""
    size = fast_even(2 * max(*reference.shape, *picture.shape))
    spectra = []
    for each in (reference, picture):
        taper = window(each.shape[0], each.shape[1], size)
        spectra.append(fft.rfft2(to_canvas(each[None], border_level(each), taper)[0]))
    f = radius((size, size))
    band = (1 - np.exp(-((f / BAND_CPP[0]) ** 2))) * np.exp(-((f / BAND_CPP[1]) ** 2))
    common = band**2 * spectra[0] * np.conj(spectra[1])
    cross = common / np.maximum(np.abs(common), 1e-30) ** WHITENING
    moved = best_shift(cross.astype(np.complex64), size)[1:]
    corners = (
        (b.start - a.start) for a, b in zip(centred(reference.shape, size), centred(picture.shape, size), strict=True)
    )
    dy, dx = (round(move) + corner for move, corner in zip(moved, corners, strict=True))
    return dy, dx


def _common(whole: Sequence[tuple[int, int]], shapes: Sequence[tuple[int, ...]]) -> list[tuple[slice, slice]] | None:
    """The area that all show, in the rows and columns of each; None where it is too small."""
    axes = []
    for axis in (0, 1):
        first = max(move[axis] for move in whole)
        last = min(move[axis] + shape[axis] for move, shape in zip(whole, shapes, strict=True))
        if last - first < MIN_SIDE_PX + 2 * BORDER_PX:
            return None
        axes.append([slice(first - move[axis], last - move[axis]) for move in whole])
    return list(zip(*axes, strict=True))
