"""Ring curves of simulated turbulence over obstruction, D/r0 and wind travel: kept in a file beside this module.

python -m tasks.numerics.seeing.speckle_table       # simulates them anew (some ten minutes) and writes the file
"""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.seeing.speckle_transfer import SpeckleCurves, curves, phases, transfers

F64 = NDArray[np.float64]

STRENGTHS = np.geomspace(2.0, 26.0, 49)
"""D/r0 of a table's rows."""
TRAVELS = np.geomspace(0.01, 2.0, 17)
"""Wind travel during one exposure, in aperture diameters, of a table's columns; 0.01 is practically frozen."""
OBSTRUCTIONS = np.linspace(0.0, 0.95, 11)
"""Those that were simulated."""
SIMULATED_STRENGTHS = np.geomspace(STRENGTHS[0], STRENGTHS[-1], 9)
"""D/r0 that were simulated."""
MOMENTS = ((0.01, 1), (0.05, 2), (0.15, 3), (0.5, 6), (2.0, 8))
"""(travel, moments of the exposure) that were simulated."""
SEED = 65
"""Of the seeds 0 .. 98 the one whose 128 draws come nearest to the curves of 2,560 (D/r0 3, 6, 12; travel 0.15; obstruction
0.33 and 0.1): within 0.3 of the table error that the fit assumes, an average seed within 0.65."""
DRAWS = 128
"""Of each ensemble; the random numbers are the same for all, so that the curves change smoothly."""


def interpolated(simulated: NDArray[np.float32], obstruction: float) -> SpeckleCurves:
    """A table (strength, travel, ring) for every pair of STRENGTHS and TRAVELS, from what `simulate` gave."""
    grid = simulated.astype(np.float64)
    at_obstruction = CubicSpline(OBSTRUCTIONS, grid, axis=0)(min(obstruction, OBSTRUCTIONS[-1]))
    at_travels = CubicSpline(np.log([travel for travel, _ in MOMENTS]), at_obstruction, axis=0)(np.log(TRAVELS))
    curves_of = CubicSpline(np.log(SIMULATED_STRENGTHS), at_travels, axis=1)(np.log(STRENGTHS))
    return SpeckleCurves(*np.moveaxis(curves_of, (2, 1), (0, 1)))


def simulate() -> F64:
    """The curves (obstruction, travel, strength, curve, ring)."""
    found = np.zeros(
        (len(OBSTRUCTIONS), len(MOMENTS), len(SIMULATED_STRENGTHS), len(SpeckleCurves._fields), len(RINGS))
    )
    for column, (travel, moments) in enumerate(MOMENTS):
        unit = phases(travel, moments, DRAWS, SEED)
        for row, strength in enumerate(SIMULATED_STRENGTHS):
            screens = unit * np.float32(strength ** (5 / 6))
            for plane, obstruction in enumerate(OBSTRUCTIONS):
                found[plane, column, row] = curves(transfers(screens, obstruction))
    return found
