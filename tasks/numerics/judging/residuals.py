"""The noise of frames as a function of light, and maps of a model's residuals over that noise."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from tasks.numerics.fourier.sampling import FULL, Sampling, masked

Image = NDArray[np.float32]
BINS = 16
"""Bins of equally many pixels, from dark to bright, to which the noise line is fitted."""
MIN_TAPER = 0.5
"""Nearer to the border, where the taper is lower, the frames on the canvas hold too little light to be judged."""


def noise_line(frames: Image) -> tuple[float, float]:
    """(gain, read variance) of the noise of frames (frame, y, x): variance = read variance + gain * light.

    Measured with second differences along both axes, which suppress blurred structure and are local: a filter as wide as
    the frame would carry the noise of a planet into the dark sky around it.
    """
    difference = ndimage.convolve1d(ndimage.convolve1d(frames, (1, -2, 1), axis=-1), (1, -2, 1), axis=-2)
    square = (difference[:, 4:-4, 4:-4] ** 2 / 36).ravel()
    level = ndimage.uniform_filter(frames, (1, 5, 5))[:, 4:-4, 4:-4].ravel()
    order = np.argsort(level)
    light, variance = (np.array([part.mean() for part in np.array_split(v[order], BINS)]) for v in (level, square))
    weight = 1 / np.maximum(variance, 1e-3 * variance.max() + 1e-30)
    gain, read = np.polyfit(light, variance, 1, w=weight) if np.ptp(light) > 0 else (0.0, 0.0)
    return (float(gain), float(read)) if gain > 0 else (0.0, float(np.median(variance)))


def misfit(
    blocks: Iterable[tuple[Image, Tensor]], sky: Tensor, taper: Image, variance: Image, sampling: Sampling = FULL
) -> Image:
    """Mean squared residual (y, x) of frames and their model on the canvas over the noise variance: one is noise alone.

    `blocks` yields frames (frame, y, x) on the canvas with their transfer functions; `sky` is the spectrum (y, x//2+1)
    common to all, `variance` (y, x) their noise before the taper. nan where the taper is below MIN_TAPER. Of a mosaic every
    pixel is the mean of the colour's pixels in the cell around it.
    """
    size = len(taper)
    total, count = np.zeros((size, size)), 0
    for frames, transfer in blocks:
        residual = torch.fft.irfft2(
            torch.fft.rfft2(torch.from_numpy(frames)) - masked(transfer * sky, sampling), s=(size, size)
        )
        total += (residual.double() ** 2).sum(0).numpy()
        count += len(frames)
    if not sampling.is_full:
        total = ndimage.uniform_filter(total, sampling.period, mode="wrap") / sampling.density
    used = taper >= MIN_TAPER
    ratio = total / max(count, 1) / np.where(used, np.maximum(variance, 1e-30) * taper**2, 1)
    return np.where(used, ratio, np.nan).astype(np.float32)
