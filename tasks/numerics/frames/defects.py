"""Bad pixels and cosmic rays: detection, and filling from the neighbours."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from tasks.numerics.robust import MAD_TO_SIGMA

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)  # the 8 neighbours
_REACH = 3  # px: the local background of a pixel is the median of 7 x 7


def _deviation(image: Image, limit_mad: float) -> NDArray[np.float32]:
    """Deviation from the 5x5 median, in units of `limit_mad` MADs: beyond +-1 is an outlier."""
    # Odd reflection continues the slope beyond the border; vignetting would make every corner an outlier otherwise.
    padded = np.pad(image, 2, mode="reflect", reflect_type="odd")
    deviation = image - ndimage.median_filter(padded, size=5)[2:-2, 2:-2]
    mad = float(np.median(np.abs(deviation - np.median(deviation))))
    # An 8-bit master may have MAD 0; one part in a thousand of its level is then the smallest deviation considered.
    floor = 1e-3 * float(np.median(np.abs(image))) + 1e-12
    return np.asarray(deviation / (limit_mad * max(mad, floor)), dtype=np.float32)


def _channelwise(image: Image) -> tuple[Image, tuple[int, ...]]:
    image = np.asarray(image, dtype=np.float32)
    return image.reshape(-1, *image.shape[-2:]), image.shape


def bad_from_dark(dark: Image, limit_mad: float = 12.0) -> Mask:
    """Hot pixels of a master dark (..., y, x): those that deviate by `limit_mad` MADs from their 5x5 median."""
    planes, shape = _channelwise(dark)
    return np.stack([np.abs(_deviation(p, limit_mad)) > 1 for p in planes]).reshape(shape)


def bad_from_flat(flat: Image, limit_mad: float = 12.0, lowest: float = 0.3) -> Mask:
    """Pixels of a master flat below `lowest` of the median, or deviating by `limit_mad` MADs from their 5x5 median."""
    planes, shape = _channelwise(flat)
    bad = [(p < lowest * np.median(p)) | (np.abs(_deviation(p, limit_mad)) > 1) for p in planes]
    return np.stack(bad).reshape(shape)


def bad_from_moments(mean: Image, var: Image, count: int) -> Mask:
    """Hot, dead and stuck pixels from the capture's own temporal mean and variance over `count` frames.

    Telescope and seeing blur every image, so neighbouring pixels share the target's light. A pixel that deviates from all
    its neighbours is a defect of the detector, however the target drifts; stars and limbs are not affected.
    """
    means, shape = _channelwise(mean)
    variances, _ = _channelwise(var)
    return np.stack([_bad_plane(m, v, count) for m, v in zip(means, variances, strict=True)]).reshape(shape)


def _bad_plane(mean: Image, var: Image, count: int) -> Mask:
    level = float(np.percentile(mean, 1))
    # The temporal variance includes that of the seeing, which makes the test conservative. In a clipped background most
    # pixels are constant and the median variance is zero, so the 80th percentile of the neighbourhood is used.
    noise = np.sqrt(np.maximum(ndimage.percentile_filter(var, 80, size=7, mode="mirror"), 0) / max(count, 1))
    hot = isolated_outliers(mean, noise, 0.02)
    low = isolated_outliers(-mean, noise, 0.02)
    neighbours = ndimage.median_filter(mean, footprint=_NEIGHBOURS, mode="mirror")
    dead = low & (neighbours - mean > 0.3 * (neighbours - level))
    # A hot pixel is hot in every frame: its excess varies less than its height. Cosmic rays and rare counts in a clipped
    # background raise the mean too, but are transient. The relative sampling error of a variance is sqrt(2/K).
    typical = ndimage.median_filter(var, footprint=_NEIGHBOURS, mode="mirror")
    transient = var - typical > (mean - neighbours) ** 2 / 2 + 4 * np.sqrt(2 / max(count, 1)) * typical
    return np.asarray((hot & ~transient) | dead | _stuck(mean, var, count), dtype=bool)


def _stuck(mean: Image, var: Image, count: int) -> Mask:
    """Pixels whose variance is below that of every neighbour by more than chance (chi-square distribution).

    Their mean must also lie two sigma outside their neighbours': in a posterised or clipped background many good pixels
    are constant, and a pixel stuck at the right value does no harm.
    """
    if count < 8:  # too few frames for a variance
        return np.zeros(var.shape, bool)
    chance = float(stats.chi2.ppf(1e-4 / var.size, count - 1)) / (count - 1)
    lowest = ndimage.minimum_filter(var, footprint=_NEIGHBOURS, mode="mirror")
    top = ndimage.maximum_filter(mean, footprint=_NEIGHBOURS, mode="mirror")
    bottom = ndimage.minimum_filter(mean, footprint=_NEIGHBOURS, mode="mirror")
    typical = np.maximum(ndimage.percentile_filter(var, 80, size=7, mode="mirror"), lowest)
    off = np.maximum(mean - top, bottom - mean) > 2 * np.sqrt(typical)
    return np.asarray(off & (lowest > 0) & (var < min(chance, 0.1) * lowest))


def isolated_outliers(image: Image, noise: float | Image, share_of_range: float) -> Mask:
    """Pixels of one plane that are brighter than any point source allows, given their neighbours.

    y - base > 3 (third brightest of 8 neighbours - base) + 12 noise + `share_of_range` of the range, with base the
    median of 7x7. Cosmic rays leave tracks, so two neighbours may be bright too. At Nyquist sampling the four nearest
    neighbours of a star hold 0.52 of its peak, which leaves the sharpest star a margin of 1.5, and its flanks more.
    """
    noise_map = np.broadcast_to(np.asarray(noise, np.float32), image.shape)
    found = np.zeros(image.shape, bool)
    # Whatever base is, an outlier is above its third brightest neighbour by 12 noise + step.
    at = _candidates(image, noise_map)
    above = image[at] - _no_more_than_third(image, *at)
    lone = above > 12 * noise_map[at]
    if not lone.any():
        return found
    lowest, highest = np.percentile(image, (1, 99.9))
    step = np.float32(share_of_range) * np.float32(highest - lowest)
    lone &= above > 12 * noise_map[at] + step
    at_y, at_x = at[0][lone], at[1][lone]
    if at_y.size == 0:
        return found
    base, third, scatter = _surroundings(image, at_y, at_x)
    # The local scatter includes photon noise and fine structure; the frame's noise is its lower bound.
    sigma = np.maximum(noise_map[at_y, at_x], scatter)
    found[at_y, at_x] = image[at_y, at_x] - base > 3 * np.maximum(third - base, 0) + 12 * sigma + step
    return found


def _candidates(image: Image, noise_map: Image) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pixels that stand above their faintest neighbour in y and x by 12 noise.

    The third brightest of the 8 neighbours is no fainter than that one.
    """
    faintest = np.full_like(image, np.inf)
    for axis in (0, 1):
        low, here = faintest.swapaxes(0, axis), image.swapaxes(0, axis)
        np.minimum(low[1:], here[:-1], out=low[1:])
        np.minimum(low[:-1], here[1:], out=low[:-1])
    at = np.flatnonzero(image - faintest > 12 * noise_map)
    rows, columns = np.unravel_index(at, image.shape)
    return rows, columns


def _no_more_than_third(image: Image, at_y: NDArray[np.intp], at_x: NDArray[np.intp]) -> Image:
    """A lower bound of the third brightest of the 8 neighbours of some pixels, without sorting.

    Of the four pairs of opposite neighbours, the two whose fainter members are brightest hold four values that are no
    less than the second of these.
    """
    padded = np.pad(image, 1, mode="reflect")

    def fainter(dy: int, dx: int) -> Image:
        return np.minimum(padded[at_y + 1 + dy, at_x + 1 + dx], padded[at_y + 1 - dy, at_x + 1 - dx])

    a, b, c, d = fainter(0, 1), fainter(1, 0), fainter(1, 1), fainter(1, -1)
    tops = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.asarray(np.maximum(np.maximum(np.minimum(a, b), np.minimum(c, d)), tops), np.float32)


def _surroundings(image: Image, at_y: NDArray[np.intp], at_x: NDArray[np.intp]) -> tuple[Image, Image, Image]:
    """(base, third brightest of 8 neighbours, local noise) of a few preselected pixels; sorting for all would be slow."""
    padded = np.pad(image, _REACH, mode="reflect")
    size = 2 * _REACH + 1
    span = np.arange(size)
    patch = padded[at_y[:, None, None] + span[:, None], at_x[:, None, None] + span]  # (pixel, 7, 7)
    core = patch[:, _REACH - 1 : _REACH + 2, _REACH - 1 : _REACH + 2]
    base = np.median(patch, axis=(1, 2))
    third = np.sort(core[:, _NEIGHBOURS], axis=1)[:, -3]
    # Second differences along x cancel slopes; sqrt(6) is their noise gain.
    bend = patch[:, :, :-2] - 2 * patch[:, :, 1:-1] + patch[:, :, 2:]
    scatter = MAD_TO_SIGMA / np.sqrt(6) * np.median(np.abs(bend), axis=(1, 2))
    return base, third, scatter.astype(np.float32)


def spikes(block: Image, noise: NDArray[np.float32] | float) -> Mask:
    """Cosmic rays: isolated outliers in one frame. `noise` is a sigma per frame, per (frame, channel), or one for all."""
    sigma = np.asarray(noise, np.float32)
    sigma = np.broadcast_to(sigma.reshape(sigma.shape + (1,) * (2 - sigma.ndim)), block.shape[:2])
    found = np.zeros(block.shape, bool)
    for index in np.ndindex(*block.shape[:2]):
        found[index] = isolated_outliers(block[index], float(sigma[index]), 0.02)
    return found


def fill(block: Image, bad: Mask, sigma_px: float = 1.0) -> Image:
    """The block with its `bad` pixels (broadcastable) replaced by the Gaussian mean of the good ones around."""
    filled = np.array(block, dtype=np.float32)
    if not bad.any():
        return filled
    bad = np.broadcast_to(bad, block.shape)
    for index in np.ndindex(*block.shape[:-2]):
        if bad[index].any():
            filled[index] = _fill_plane(filled[index], bad[index], sigma_px)
    return filled


def _fill_plane(plane: Image, bad: Mask, sigma_px: float) -> Image:
    if bad.all():  # no data: a plane of zeros is flagged as black later
        return np.zeros_like(plane)
    filled, todo, sigma = plane.copy(), bad.copy(), sigma_px
    value = np.where(bad, np.float32(0), plane)
    while todo.any():  # the Gaussian widens until it reaches into the largest hole
        weight = ndimage.gaussian_filter((~bad).astype(np.float32), sigma, mode="constant")
        light = ndimage.gaussian_filter(value, sigma, mode="constant")
        known = todo & (weight > 1e-2)
        filled[known] = light[known] / weight[known]
        todo &= ~known
        sigma *= 2
    return filled


def clean(block: Image, bad: Mask, noise: NDArray[np.float32] | float) -> tuple[Image, Mask]:
    """The block (frame, channel, y, x) with bad pixels filled first, then the spikes of each frame; and where these were."""
    filled = fill(block, bad)
    found = spikes(filled, noise)
    return (fill(filled, found) if found.any() else filled), found
