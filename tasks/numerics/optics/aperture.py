"""The telescope's aperture: an annulus given by its diameter and central obstruction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERSAMPLING = 8
"""Sub-cells per cell and axis: the antialiased edge is good to 1/64."""


@dataclass(frozen=True)
class Aperture:
    """An annular aperture on the grid of a pupil."""

    diameter_cells: float
    """Diameter in cells of the canvas's own grid: half the canvas at Nyquist sampling (pixel = wavelength / 2D)."""
    obstruction: float
    """Central obstruction, as a fraction of the diameter."""

    def on(self, size_from: int, size_to: int) -> Aperture:
        """The same aperture on a canvas of another size, in pixels of the same scale."""
        return Aperture(self.diameter_cells * size_to / size_from, self.obstruction)


def diameter_cells(size: int, aperture_m: float, wavelength_m: float, pixel_scale_rad: float) -> float:
    """Pupil diameter in cells of a size x size grid: half the grid at Nyquist sampling (pixel = wavelength / 2D)."""
    return aperture_m / wavelength_m * pixel_scale_rad * size


def aperture_mask(size: int, aperture: Aperture) -> NDArray[np.float32]:
    """Antialiased mask (size, size) of an aperture, centred on [size//2, size//2].

    Only cells that an edge may cut are divided into sub-cells: those of all cells of a large grid would take gigabytes.
    """
    inner, outer = aperture.obstruction * aperture.diameter_cells / 2, aperture.diameter_cells / 2
    middle = np.arange(size) - size // 2
    distance = np.hypot(middle[:, None], middle[None, :])
    mask = ((distance <= outer) & (distance >= inner)).astype(np.float32)
    row, col = np.nonzero(np.minimum(np.abs(distance - outer), np.abs(distance - inner)) < 1)
    fine = ((np.arange(size * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5 - size // 2).reshape(size, OVERSAMPLING) ** 2
    square = fine[row][:, :, None] + fine[col][:, None, :]
    mask[row, col] = ((square <= outer**2) & (square >= inner**2)).mean((1, 2))
    return mask
