"""Kolmogorov turbulence: the phase power spectrum and the variances of Zernike modes."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, gammaln

# W(k) = PSD * r0^(-5/3) * k^(-11/3), the spectrum behind D(r) = 6.88 (r/r0)^(5/3) (Noll 1976).
PSD = float((24 / 5 * gamma(6 / 5)) ** (5 / 6) * gamma(11 / 6) ** 2 / (2 * np.pi ** (11 / 3)))


def noll_variances(n_modes: int) -> NDArray[np.float64]:
    """Variances in rad^2 at D/r0 = 1 of the Zernike modes j = 2 .. n_modes + 1 (tip and tilt first).

    The exact integral instead of Noll's rounded constant 0.0072; a mode's variance depends on its radial order alone.
    """
    if n_modes < 1:
        raise ValueError(f"n_modes is {n_modes}; at least 1 is needed: ask for tip and tilt (2) or more")
    j = np.arange(2, n_modes + 2)
    n = np.ceil((np.sqrt(8 * j + 1) - 3) / 2)
    log_ratio = gammaln(n - 5 / 6) - gammaln(n + 23 / 6)
    scale = PSD * 2.0 ** (-5 / 3) * (2 / np.pi) * (2 * np.pi) ** (11 / 3) * 2.0 ** (-14 / 3)
    variances: NDArray[np.float64] = scale * gamma(14 / 3) / gamma(17 / 6) ** 2 * (n + 1) * np.exp(log_ratio)
    return variances


def von_karman(k: NDArray[np.float64], r0_px: float, outer_scale_px: float) -> NDArray[np.float64]:
    """Phase power in rad^2 cell^2 at the frequencies `k` (cycles per cell); an infinite outer scale is Kolmogorov."""
    floor = 0.0 if np.isinf(outer_scale_px) else outer_scale_px**-2.0
    power: NDArray[np.float64] = PSD * r0_px ** (-5 / 3) * (k**2 + floor) ** (-11 / 6)
    return power


def phase_sigma(n_modes: int, d_over_r0: float) -> NDArray[np.float32]:
    """Standard deviations (mode,) in rad of the modes j = 2 .. n_modes + 1 in turbulence of the given D/r0."""
    return np.sqrt(noll_variances(n_modes) * d_over_r0 ** (5 / 3)).astype(np.float32)
