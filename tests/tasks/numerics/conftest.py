"""Frames of known skies through turbulence that is not in the speckle table."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.seeing.speckle_transfer import aligned_transfers, phases, transfers

SIZE = 96
"""The transfer functions' own grid: cut-off at 0.5 cycles per pixel; a little white lies in the corners."""
Frames = Callable[..., tuple[NDArray[np.float32], NDArray[np.complex64]]]


@pytest.fixture(scope="session")
def air() -> NDArray[np.float32]:
    """Phases at D/r0 = 1 from another seed than the table's."""
    return phases(0.1, 3, 64, seed=7)


@pytest.fixture(scope="session")
def frames_through(air: NDArray[np.float32]) -> Frames:
    """Makes registered frames of a small planet, a field of stars or a field without end, and their transfer functions."""

    def make(strength: float, noise: float, sky: str = "disc") -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
        rng = np.random.default_rng(5)
        spectra = aligned_transfers(transfers(air * np.float32(strength ** (5 / 6)), 0.33))
        clean = np.fft.irfft2(np.fft.rfft2(_scene(sky, rng)) * spectra, s=(SIZE, SIZE))
        if sky == "field":
            clean = clean[:, :64, :64]  # a window on a sky that goes on
        return (clean + noise * rng.standard_normal(clean.shape)).astype(np.float32), spectra

    return make


def _scene(sky: str, rng: np.random.Generator) -> NDArray[np.float64]:
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    scene = np.zeros((SIZE, SIZE))
    if sky == "stars":
        scene[[40, 44, 55], [45, 60, 48]] = [300.0, 120.0, 60.0]
    elif sky == "field":
        steep = np.fft.fft2(rng.standard_normal(scene.shape)) / np.fft.ifftshift(np.maximum(np.hypot(y, x), 1) ** 2)
        scene = np.fft.ifft2(steep).real
        scene /= scene.std()
    else:
        scene = (np.hypot(y, x) < 14) * (1 + 0.3 * np.sin(y) + 0.2 * rng.standard_normal(scene.shape))
    return np.asarray(scene, np.float64)
