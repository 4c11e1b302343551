"""The maxima of sampled correlations between their samples."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
F64 = NDArray[np.float64]

APART = 2
"""Samples along each axis around a maximum in which no second one is looked for."""


def near_peaks(surfaces: Image, allowed: NDArray[np.bool_], count: int = 1) -> F64:
    """Lags (surface, peak, (dy, dx)) of the `count` highest allowed samples apart from each other, highest first.

    Each is the vertex of the quadric through the 3x3 around it.
    """
    number, ny, nx = surfaces.shape
    left = np.where(allowed, surfaces, -np.inf)
    every = np.arange(number)[:, None, None]
    lags = np.zeros((number, count, 2))
    for k in range(count):
        y, x = np.unravel_index(left.reshape(number, -1).argmax(axis=1), (ny, nx))
        around = np.arange(-1, 2)
        near = surfaces[every, (y[:, None] + around)[:, :, None] % ny, (x[:, None] + around)[:, None, :] % nx]
        whole = np.stack([(y + ny // 2) % ny - ny // 2, (x + nx // 2) % nx - nx // 2], axis=1)
        lags[:, k] = whole + quadric_vertices(near.astype(np.float64))[0]
        around = np.arange(-APART, APART + 1)
        left[every, (y[:, None] + around)[:, :, None] % ny, (x[:, None] + around)[:, None, :] % nx] = -np.inf
    return lags


def quadric_vertices(near: F64) -> tuple[F64, F64]:
    """(offsets from the centre (peak, 2), heights) of the maxima of quadrics through the axes and corners of (peak, 3, 3)."""
    slope_y, slope_x = (near[:, 2, 1] - near[:, 0, 1]) / 2, (near[:, 1, 2] - near[:, 1, 0]) / 2
    yy = near[:, 2, 1] - 2 * near[:, 1, 1] + near[:, 0, 1]
    xx = near[:, 1, 2] - 2 * near[:, 1, 1] + near[:, 1, 0]
    xy = (near[:, 2, 2] - near[:, 2, 0] - near[:, 0, 2] + near[:, 0, 0]) / 4
    peaked = (yy < 0) & (xx < 0) & (yy * xx > xy * xy)  # anything else is noise
    area = np.where(peaked, yy * xx - xy * xy, 1.0)
    step = -np.stack([xx * slope_y - xy * slope_x, yy * slope_x - xy * slope_y], axis=1) / area[:, None]
    step = np.where(peaked[:, None], np.clip(step, -1, 1), 0.0)
    return step, near[:, 1, 1] + (slope_y * step[:, 0] + slope_x * step[:, 1]) / 2
