"""The light of a picture as the nets take it: 0 is dark, 1 is bright, whatever the unit was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Light:
    """What is 0 and how much is 1 for a net."""

    low: float
    scale: float

    def of(self, picture: Image) -> Image:
        """Pictures in their own unit to the net's."""
        return np.asarray((picture - self.low) / self.scale, np.float32)

    def back(self, answer: Image) -> Image:
        """And back."""
        return np.asarray(answer * self.scale + self.low, np.float32)


def light_range(picture: Image) -> Light:
    """The darkest pixel is 0, the brightest 1."""
    low = float(picture.min())
    return Light(low, max(float(picture.max()) - low, 1e-30))


def contrast(picture: Image) -> Light:
    """The mean is 0, the standard deviation 1."""
    return Light(float(picture.mean()), max(float(picture.std()), 1e-30))
