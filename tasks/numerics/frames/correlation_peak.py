"""The maximum of a sampled correlation between its samples."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def near_peak(surface: Image, allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Lag (dy, dx) of the vertex of the quadric through the 3x3 around the highest allowed lag."""
    ny, nx = surface.shape
    y, x = np.unravel_index(int(np.argmax(np.where(allowed, surface, -np.inf))), surface.shape)
    near = surface[np.ix_([(y - 1) % ny, y, (y + 1) % ny], [(x - 1) % nx, x, (x + 1) % nx])].astype(np.float64)
    whole = np.array([(y + ny // 2) % ny - ny // 2, (x + nx // 2) % nx - nx // 2])
    return np.asarray(whole + quadric_vertex(near)[0])


def quadric_vertex(near: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """(offset from the centre, height) of the maximum of a quadric through the axes and corners of a 3x3."""
    slope = np.array([near[2, 1] - near[0, 1], near[1, 2] - near[1, 0]]) / 2
    yy = near[2, 1] - 2 * near[1, 1] + near[0, 1]
    xx = near[1, 2] - 2 * near[1, 1] + near[1, 0]
    xy = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4
    if not (yy < 0 and xx < 0 and yy * xx > xy * xy):  # not a maximum: noise
        return np.zeros(2), float(near[1, 1])
    step = np.clip(-np.linalg.solve(np.array([[yy, xy], [xy, xx]]), slope), -1, 1)
    return step, float(near[1, 1] + slope @ step / 2)
