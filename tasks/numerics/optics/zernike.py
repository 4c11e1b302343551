"""Zernike modes in Noll's order."""

import math

import numpy as np
from numpy.typing import NDArray


def noll(j: int) -> tuple[int, int]:
    """Radial and signed azimuthal order of Noll's Zernike mode j (1 = piston, 2 and 3 = tip and tilt)."""
    n = int((math.sqrt(8 * j - 7) - 1) / 2)
    place = j - n * (n + 1) // 2
    m = 2 * (place // 2) if n % 2 == 0 else 2 * ((place - 1) // 2) + 1
    return n, m if j % 2 == 0 else -m


def zernike(j: int, rho: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noll's Zernike mode j at polar coordinates in the unit disc, of unit variance over the full disc."""
    n, signed = noll(j)
    m = abs(signed)
    radial = np.zeros_like(rho)
    for s in range((n - m) // 2 + 1):
        weight = math.comb(n - s, s) * math.comb(n - 2 * s, (n - m) // 2 - s)
        radial += (-1) ** s * weight * rho ** (n - 2 * s)
    if m == 0:
        return np.asarray(math.sqrt(n + 1) * radial)
    angular = np.cos(m * theta) if signed > 0 else np.sin(m * theta)
    return np.asarray(math.sqrt(2 * (n + 1)) * radial * angular)
