"""How a target as a whole moves, turns and grows from frame to frame, from the frames around one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, ndimage

Image = NDArray[np.float32]
Velocity = NDArray[np.float64]
"""(2, 3): change of y and x per frame as a linear function of y, x (pixels from the middle) and 1."""

REACH = 3
"""Frames before and after the one that is left out from which the motion is found."""
SMOOTH_PX = 1.5
"""Blur of the frames for it: their noise has no say in small gradients."""
STEPS = 12
"""Most Gauss-Newton steps."""
LEAST_PX = 0.01
"""Change per frame at the border of a picture below which a step is the last."""
RIDGE = 1e-6
"""Share of the mean curvature that is added: a picture that does not show one of the six motions has none of it."""


def motion_around(frames: Image, number: int) -> Velocity:
    """Velocity of a burst (frame, y, x) around a frame, which is itself not looked at."""
    places = [k for k in range(-REACH, REACH + 1) if k and 0 <= number + k < len(frames)]
    smooth = {k: ndimage.gaussian_filter(frames[number + k], SMOOTH_PX) for k in places}
    velocity, middle = np.zeros((2, 3)), float(np.mean(places))
    y, x = _from_the_middle(frames.shape[1:])
    reach = max(float(y.max()), float(x.max()), 1.0)
    for _ in range(STEPS):
        moved = {k: moved_by(each, velocity, k, 1) for k, each in smooth.items()}
        mean = np.mean(list(moved.values()), axis=0)
        slope_y, slope_x = np.gradient(mean)
        basis = np.stack([s * axis for s in (slope_y, slope_x) for axis in (y / reach, x / reach, 1.0)]).reshape(6, -1)
        curvature, pull = np.zeros((6, 6)), np.zeros(6)
        for k, each in moved.items():
            curvature += (k - middle) ** 2 * (basis @ basis.T)
            pull -= (k - middle) * (basis @ (each - mean).ravel())
        ridge = RIDGE * np.trace(curvature) / 6 + 1e-30
        step = np.linalg.solve(curvature + ridge * np.eye(6), pull).reshape(2, 3)
        velocity = velocity + step / [reach, reach, 1.0]
        if np.abs(step).max() < LEAST_PX:
            break
    return velocity


def moved_by(picture: Image, velocity: Velocity, frames: float, order: int = 3) -> Image:
    """A picture (y, x) of so many frames later, as it looks now: the motion goes on all the time."""
    flow = linalg.expm(frames * np.vstack([velocity, np.zeros(3)]))
    middle = (np.array(picture.shape) - 1) / 2
    offset = middle + flow[:2, 2] - flow[:2, :2] @ middle
    found = ndimage.affine_transform(picture, flow[:2, :2], offset, order=order, mode="nearest")
    return np.asarray(found, np.float32)


def _from_the_middle(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.indices(shape, dtype=np.float64)
    return y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2
