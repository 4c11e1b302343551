"""Solved PSFs and skies as a critic sees them: Strehl ratios, portraits, each frame's air, and what the model leaves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from tasks.numerics.optics.kolmogorov import noll_variances
from tasks.numerics.optics.pupil import Pupil, perfect, psfs, pupil

Image = NDArray[np.float32]
CHUNK = 16
FINE = 3
"""Pixels of a portrait per wavelength / D: fine enough that a peak between two pixels loses little of its height."""
BINS = 16
"""Of equally many pixels, from dark to bright, through which the line of the noise is laid."""
LEAST_LIGHT = 0.5
"""Of the taper: nearer to the border the frames on the canvas hold too little of their own light to be judged."""


def portraits(model: str, found: NDArray[np.float32], eye: tuple[float, float], side: int) -> Image:
    """PSFs (frame, side, side), centred, in units of the perfect telescope's peak: their maxima are Strehl ratios.

    `found` holds a model's parameters: phases (frame, mode), drawn with FINE pixels per wavelength / D, or PSFs
    (frame, y, x) shown on their own pixels. `eye` is (pupil diameter in cells of the solver's canvas, obstruction).
    """
    if model == "pupil":
        small = pupil(side, side / FINE, eye[1], found.shape[1])
        return np.concatenate([_drawn(small, found[i : i + CHUNK]) for i in range(0, len(found), CHUNK)])
    size = found.shape[-1]
    peak = float(torch.fft.irfft2(perfect(pupil(size, *eye, 3)), s=(size, size))[0, 0])
    side = min(side, size)
    out = np.empty((len(found), side, side), np.float32)
    for row, psf in zip(out, found, strict=True):
        y, x = np.unravel_index(int(np.argmax(psf)), psf.shape)
        row[:] = np.roll(psf, (side // 2 - int(y), side // 2 - int(x)), (0, 1))[:side, :side] / peak
    return out


def flawless(eye: tuple[float, float], size: int, side: int, fine: bool) -> Image:
    """The perfect telescope's PSF (side, side) like a portrait: on fine pixels, or on those of a canvas of `size`."""
    if fine:
        return portraits("pupil", np.zeros((1, 3), np.float32), eye, side)[0]
    psf = torch.fft.irfft2(perfect(pupil(size, *eye, 3)), s=(size, size)).numpy()
    return portraits("freeform", psf[None], eye, side)[0]


def _drawn(small: Pupil, phases: NDArray[np.float32]) -> Image:
    level = torch.from_numpy(np.array(phases, np.float32))
    level[:, :2] = 0  # tip and tilt move a PSF, they do not blur it
    shapes = psfs(small, torch.cat([torch.zeros(1, level.shape[1]), level]))
    return np.asarray(torch.fft.fftshift(shapes[1:] / shapes[0].max(), dim=(-2, -1)).numpy(), np.float32)


def strengths(phases: NDArray[np.float32]) -> NDArray[np.float64]:
    """D/r0 (frame,) of each frame's phases (frame, mode) by Kolmogorov's law, tip and tilt left out."""
    if phases.shape[1] < 3:
        return np.full(len(phases), np.nan)
    ratio = (phases[:, 2:].astype(np.float64) ** 2).sum(axis=1) / noll_variances(phases.shape[1])[2:].sum()
    return np.asarray(ratio**0.6)


def noise_line(frames: Image) -> tuple[float, float]:
    """(gain, read variance) of the noise of frames (frame, y, x): variance = read variance + gain * light.

    Read from second differences along both axes, which are deaf to blurred light and stay where they are: a filter as
    wide as the frame would carry the noise of a planet into the dark sky around it.
    """
    difference = ndimage.convolve1d(ndimage.convolve1d(frames, (1, -2, 1), axis=-1), (1, -2, 1), axis=-2)
    square = (difference[:, 4:-4, 4:-4] ** 2 / 36).ravel()
    level = ndimage.uniform_filter(frames, (1, 5, 5))[:, 4:-4, 4:-4].ravel()
    order = np.argsort(level)
    light, variance = (np.array([part.mean() for part in np.array_split(v[order], BINS)]) for v in (level, square))
    weight = 1 / np.maximum(variance, 1e-3 * variance.max() + 1e-30)
    gain, read = np.polyfit(light, variance, 1, w=weight) if np.ptp(light) > 0 else (0.0, 0.0)
    return (float(gain), float(read)) if gain > 0 else (0.0, float(np.median(variance)))


def misfit(blocks: Iterable[tuple[Image, Tensor]], sky: Tensor, taper: Image, variance: Image) -> Image:
    """Mean squared misfit (y, x) of frames and their model on the canvas, in units of their noise: one is noise alone.

    `blocks` lends frames (frame, y, x) laid on the canvas and their transfer functions; `sky` is the spectrum
    (y, x//2+1) that they share, `variance` (y, x) their noise before the taper. Not a number where the taper leaves
    too little light.
    """
    size = len(taper)
    total, count = np.zeros((size, size)), 0
    for frames, transfer in blocks:
        left = torch.fft.irfft2(torch.fft.rfft2(torch.from_numpy(frames)) - transfer * sky, s=(size, size))
        total += (left.double() ** 2).sum(0).numpy()
        count += len(frames)
    lit = taper >= LEAST_LIGHT
    ratio = total / max(count, 1) / np.where(lit, np.maximum(variance, 1e-30) * taper**2, 1)
    return np.where(lit, ratio, np.nan).astype(np.float32)
