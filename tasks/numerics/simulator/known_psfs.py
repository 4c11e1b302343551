"""Known PSFs: their transfer functions on any canvas, and the error of solved PSFs against them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.fourier.shifts import best_shift

MIN_PIXEL = 1e-3
"""Where a pixel's transfer function is below this, no light of a PSF is left."""


def known_transfer(psfs: NDArray[np.float32], moves: NDArray[np.float64], pixel_fill: float, size: int) -> Tensor:
    """Transfer functions (frame, size, size//2+1) of PSFs (frame, y, x) centred on [n // 2, n // 2] and moved by `moves`.

    `moves` is (frame, 2) dy, dx px. The pixel's transfer function is divided out, because the sky to compare with is
    sampled by the same pixels. The transform is evaluated at the canvas's frequencies, so a PSF may be wider than it.
    """
    fy, fx = np.fft.fftfreq(size), np.fft.rfftfreq(size)
    height, width = psfs.shape[-2:]
    rows = np.exp(-2j * np.pi * np.outer(fy, np.arange(height) - height // 2)).astype(np.complex64)
    columns = np.exp(-2j * np.pi * np.outer(np.arange(width) - width // 2, fx)).astype(np.complex64)
    pixel = np.outer(np.sinc(pixel_fill * fy), np.sinc(pixel_fill * fx))
    ramps = np.exp(-2j * np.pi * moves[:, :1] * fy)[:, :, None] * np.exp(-2j * np.pi * moves[:, 1:] * fx)[:, None]
    seen = np.abs(pixel) > MIN_PIXEL  # a pixel as wide as two of the canvas passes nothing at its border
    transfer = (rows @ psfs @ columns) * ramps * np.where(seen, 1 / np.where(seen, pixel, 1), 0)
    return torch.from_numpy(transfer.astype(np.complex64))


def psf_rms_error(found: Tensor, known: Tensor) -> NDArray[np.float64]:
    """Rms difference (frame,) of PSFs from their transfer functions (frame, y, x//2+1), relative to the known one's rms.

    Each PSF is first registered on the known one: a blind solve cannot determine the position of the sky.
    """
    size = known.shape[-2]
    weight = 2 * multiplicity(size, known.device)

    def power(transfer: Tensor) -> NDArray[np.float64]:
        return np.asarray(((transfer.real**2 + transfer.imag**2) * weight).sum((1, 2)).double().numpy())

    common = np.array([best_shift(each, size)[0] for each in (known * found.conj()).numpy()])
    error = np.maximum(power(found) + power(known) - 2 * common, 0) / power(known)
    return np.asarray(np.sqrt(error))
