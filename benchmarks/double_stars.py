"""Double stars of known separation, angle and difference of magnitudes: are the measured ones unbiased, and their errors true?

python benchmarks/double_stars.py [PAIRS]     pairs per cell of the grid [30]; a table on the terminal
"""

import sys

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.judging.double_star import annular_transfer, double_star

CUTOFF_CPP, OBSTRUCTION, SIDE_PX, BLUR_PX = 0.4, 0.33, 64, 0.5
PEAK_OVER_NOISE = 300.0
NOISE_CPP = 0.25
"""The noise of a sky is correlated: its amplitude falls to 1/e at this frequency."""
SEPARATIONS = (0.6, 0.8, 1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0)
"""Wavelengths / D."""
MAGNITUDES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)
"""Differences between the stars."""
COVERED = 1.96
"""Standard errors within which 95 per cent of the deviations lie."""


def pair(separation_px: float, magnitude: float, angle_deg: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(y, x) two stars with noise of standard deviation one."""
    fy, fx = np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None]
    radius, angle = np.hypot(fy, fx), np.radians(angle_deg)
    y, x = SIDE_PX / 2 + rng.uniform(-1, 1, 2)
    one = np.exp(-2j * np.pi * (fy * y + fx * x))
    y, x = y - separation_px * np.cos(angle), x - separation_px * np.sin(angle)
    light = one + 10 ** (-0.4 * magnitude) * np.exp(-2j * np.pi * (fy * y + fx * x))
    blur = np.exp(-2 * (np.pi * BLUR_PX * radius) ** 2)
    picture = np.fft.irfft2(light * annular_transfer(radius / CUTOFF_CPP, OBSTRUCTION) * blur, s=(SIDE_PX, SIDE_PX))
    white = np.fft.rfft2(rng.normal(size=(SIDE_PX, SIDE_PX)))
    noise = np.fft.irfft2(white * np.exp(-((radius / NOISE_CPP) ** 2)), s=(SIDE_PX, SIDE_PX))
    return np.asarray(picture / picture.max() * PEAK_OVER_NOISE + noise / noise.std(), np.float32)


def deviations(separation: float, magnitude: float, pairs: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(pair, 3) separation, angle and difference of magnitudes off the truth, in their own standard errors; nan: not found."""
    out = np.full((pairs, 3), np.nan)
    for row in out:
        angle, wanted = float(rng.uniform(0, 360)), separation / CUTOFF_CPP
        found = double_star(
            pair(wanted, magnitude, angle, rng), np.ones((SIDE_PX, SIDE_PX), np.float32), CUTOFF_CPP, OBSTRUCTION
        )
        if found is not None:
            turn = (found.angle_deg - angle + 180) % 360 - 180
            swapped = abs(turn) > 90  # which of two equal stars is the brighter one is chance
            turn = turn - np.sign(turn) * 180 if swapped else turn
            difference = (-1 if swapped else 1) * found.delta_magnitude - magnitude
            row[:] = (
                (found.separation_px - wanted) / found.separation_error_px,
                turn / found.angle_error_deg,
                difference / found.delta_magnitude_error,
            )
    return out


def main(pairs: int) -> None:
    """Print one line per cell, and those together in which every pair was found: of others the lucky ones are found."""
    rng, complete = np.random.default_rng(1), []
    print("lambda/D  dm  found  mean deviation (sigma)   within 1.96 sigma: separation, angle, dm")
    for separation in SEPARATIONS:
        for magnitude in MAGNITUDES:
            off = deviations(separation, magnitude, pairs, rng)
            off = off[np.isfinite(off[:, 0])]
            if len(off) == pairs:
                complete.append(off)
            print(f"{separation:7.1f} {magnitude:4.1f} {len(off):4d}  {_line(off)}", flush=True)
    off = np.concatenate(complete)
    worst = max(float(np.abs(cell.mean(0)).max()) for cell in complete)
    print(f"{len(complete)} complete cells, {len(off)} pairs: {_line(off)}; largest mean of a cell {worst:.2f} sigma")


def _line(off: NDArray[np.float64]) -> str:
    """Means and shares of deviations (pair, 3); nothing of none."""
    if not len(off):
        return ""
    return f"{np.round(off.mean(0), 2)}   {np.round((np.abs(off) < COVERED).mean(0), 3)}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
