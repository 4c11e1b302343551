"""Linear inverse filters of a finished picture: what a learned answer is given besides Richardson-Lucy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.finishing.transfer import Transfer
from tasks.numerics.fourier.rings import ring_index

Image = NDArray[np.float32]

PAD_PX = 32
"""Mirrored border around the picture."""
MILD = 0.1
"""Amplitude of the rest transfer below which the mild filter holds back."""
LEAST_TRANSFER = 0.02
"""Smaller rest transfers are not divided by."""


def inverse_filtered(picture: Image, transfer: Transfer, sigma: Image, background: float) -> Image:
    """The picture (y, x) by two filters (2, y, x): by its own spectrum over the noise, and by a mild fixed one."""
    light = np.pad(picture - np.float32(background), PAD_PX, mode="symmetric")
    shape = (light.shape[0], light.shape[1])
    telescope, effective = transfer.on(transfer.telescope, shape), transfer.on(transfer.effective, shape)
    rest = np.where(telescope > 1e-3, np.minimum(effective / np.maximum(telescope, 1e-6), 1.0), 0.0)
    spectrum = fft.rfft2(light)
    noise = float(np.mean(np.asarray(sigma, np.float64) ** 2)) * light.size
    signal = _smooth_power(spectrum, shape)
    own = np.clip(1 - noise / np.maximum(signal, 1e-30), 0, 1) * rest / np.maximum(rest, LEAST_TRANSFER) ** 2
    mild = rest * (1 + MILD**2) / (rest**2 + MILD**2)
    inner = (slice(PAD_PX, PAD_PX + picture.shape[0]), slice(PAD_PX, PAD_PX + picture.shape[1]))
    found = [fft.irfft2(spectrum * each, s=shape)[inner] + background for each in (own, mild)]
    return np.asarray(found, np.float32)


def _smooth_power(spectrum: NDArray[np.complex64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Mean power over rings, laid out on the grid of the spectrum again."""
    ring = ring_index(shape)
    power = np.bincount(ring.ravel(), (np.abs(spectrum) ** 2).ravel()) / np.maximum(np.bincount(ring.ravel()), 1)
    return np.asarray(power[ring], np.float64)
