"""The camera of a simulated capture: mosaic, noise, converter, and what can be broken in it."""

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.simulator.scene import COLOURS, SimulatedScene

Frames = NDArray[np.uint8 | np.uint16]
HOT_SHARE, DEAD_SHARE = 0.002, 0.001
"""Fractions of the pixels that are hot, that are dead."""
RAYS_PER_FRAME = 1.0
"""Cosmic rays in a frame, mean number."""
REPEAT_EVERY, BLACK_AT = 12, 7
"""One frame in so many repeats the one before it; the number of the frame without light."""


def expose(electrons: NDArray[np.float64], scene: SimulatedScene, rng: np.random.Generator) -> Frames:
    """Light (y, x) in electrons to the camera's raw values: photon noise, read noise, gain, offset, clipping."""
    top = 2**scene.bits - 1
    peak = scene.photons_peak + scene.background_e
    gain = scene.gain_e_per_adu or peak / max(scene.full_scale * top - scene.offset_adu, 1.0)
    counted = rng.poisson(np.maximum(electrons, 0.0)) + rng.normal(0.0, scene.read_noise_e, electrons.shape)
    raw = np.clip(np.rint(counted / gain + scene.offset_adu), 0, top)
    return raw.astype(np.uint8) if scene.bits <= 8 else raw.astype(np.uint16)


def in_mosaic(light: NDArray[np.float64], mosaic: str) -> NDArray[np.float64]:
    """What a sensor with colour filters sees of the light (colour, y, x): (y, x), each pixel its filter's colour."""
    seen = np.empty_like(light[0])
    for place, colour in enumerate(mosaic):
        dy, dx = divmod(place, 2)
        seen[dy::2, dx::2] = light[COLOURS.index(colour), dy::2, dx::2]
    return seen


class BrokenCamera:
    """Defects of a camera, the same in every frame, and accidents, different in each."""

    def __init__(self, scene: SimulatedScene) -> None:
        self.rng, self.top = scene.stream(4), 2**scene.bits - 1
        kind = self.rng.random(scene.sensor_shape)
        self.hot, self.dead = kind < HOT_SHARE, kind > 1 - DEAD_SHARE
        self.frames = 0
        self.last: Frames | None = None

    def broken(self, frame: Frames) -> Frames:
        """A frame (..., y, x) as the camera hands it over."""
        number, seen = self.frames, frame.copy()
        self.frames += 1
        if self.last is not None and number % REPEAT_EVERY == REPEAT_EVERY - 1:
            return self.last
        if number == BLACK_AT:
            seen[...] = np.minimum(seen, np.percentile(seen, 1))
        for _ in range(self.rng.poisson(RAYS_PER_FRAME)):
            y, x = (int(self.rng.integers(n)) for n in seen.shape[-2:])
            seen[..., y, x : x + 3] = self.top
        seen[..., self.hot] = round(0.9 * self.top)
        seen[..., self.dead] = 0
        self.last = seen
        return seen
