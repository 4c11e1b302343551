"""The simulated curves of turbulence that come with stillsky.

python -m tasks.products.turbulence         # simulates them anew (a minute) and writes the file
"""

import functools
from pathlib import Path

import numpy as np

from tasks.numerics.seeing.speckle_table import interpolated, simulate
from tasks.numerics.seeing.speckle_transfer import SpeckleCurves

FILE = Path(__file__).with_suffix(".npy")


@functools.lru_cache(maxsize=4)
def speckle_table(obstruction: float) -> SpeckleCurves:
    """Ring curves of turbulence through a telescope whose aperture is obstructed by this fraction of its diameter."""
    return interpolated(np.load(FILE, allow_pickle=False), obstruction)


if __name__ == "__main__":
    np.save(FILE, simulate().astype(np.float32))
