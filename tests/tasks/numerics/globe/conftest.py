"""A planet that turned between pictures, with noise, and where its disc was measured in them."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.globe.spheroid import View
from tasks.numerics.simulator.globes import globe
from tasks.numerics.simulator.targets import planet_map

Image = NDArray[np.float32]
Film = Callable[[View, float, int], Image]


@pytest.fixture(scope="session")
def surface() -> NDArray[np.float64]:
    """A map of cloud tops."""
    return planet_map(np.random.default_rng(7))


@pytest.fixture(scope="session")
def film(surface: NDArray[np.float64]) -> Film:
    """A picture (y, x) of the planet through a small telescope: view, noise, seed."""

    def picture(view: View, noise: float = 0.0, seed: int = 0) -> Image:
        sharp = ndimage.gaussian_filter(globe(surface, view, 72), 0.8)
        return np.asarray(sharp + noise * np.random.default_rng(seed).standard_normal(sharp.shape), np.float32)

    return picture
