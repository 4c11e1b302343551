"""Mean and variance of frames that come in blocks, in one pass."""

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.frames.spectra import AT_ONCE

Image = NDArray[np.float32]
F64 = NDArray[np.float64]


class Moments:
    """Sums of what frames differ from one of them by: so small that squares lose no digits."""

    def __init__(self, pivot: Image) -> None:
        self._pivot = pivot
        self._sum: F64 = np.zeros(pivot.shape)
        self._squares: F64 = np.zeros(pivot.shape)
        self._count = 0

    def add(self, frames: Image) -> None:
        """Add frames (frame, ...) of the pivot's shape: some in single precision, their sum in double."""
        for start in range(0, len(frames), AT_ONCE):
            rest = frames[start : start + AT_ONCE] - self._pivot
            self._sum += rest.sum(axis=0)
            self._squares += np.square(rest, out=rest).sum(axis=0)
        self._count += len(frames)

    @property
    def mean(self) -> Image:
        """Of all frames."""
        return np.asarray(self._pivot + self._sum / max(self._count, 1), np.float32)

    @property
    def variance(self) -> Image:
        """Of all frames, over their number."""
        count = max(self._count, 1)
        return np.maximum(self._squares / count - (self._sum / count) ** 2, 0).astype(np.float32)
