"""Speckle transfer functions of simulated Kolmogorov turbulence, and their ring curves."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.fourier.rings import RINGS, radial_profile, radii
from tasks.numerics.optics.aperture import Aperture, aperture_mask
from tasks.numerics.optics.kolmogorov import PSD

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

_CELLS = 48  # across the aperture: phase steps between cells stay well below pi at D/r0 = 26
_WAVES = 600  # plane waves per draw
_MAX_FREQUENCY = 200.0  # of the waves, cycles per aperture; fixed, so that all draws share their random numbers
_OUTER_SCALE = 80.0  # in aperture diameters; matters only for the tilt within one exposure
_LAYERS = ((0.5, 0.6), (0.3, 1.2), (0.2, 2.0))  # share of the turbulence, relative wind; directions are random


class SpeckleCurves(NamedTuple):
    """Ring curves of simulated ensembles, each (..., ring)."""

    log_power: F64
    """ln <|H|^2>."""
    coherence: F64
    """|<H>|^2 / <|H|^2> of PSFs aligned by their correlation with the mean."""
    contrast: F64
    """var(|H|^2) / <|H|^2>^2."""


def phases(travel: float, moments: int, draws: int, seed: int) -> F32:
    """Kolmogorov phases (draw, moment, y, x) in rad at D/r0 = 1 over the aperture; `travel` in aperture diameters.

    A sum of plane waves with log-spaced frequencies: all scales from eighty apertures to a quarter cell have their
    power, and wind is a phase factor. The relative motion of the layers, not the common wind, blurs speckles.
    """
    rng = np.random.default_rng(seed)
    ends = np.log([1 / _OUTER_SCALE, _MAX_FREQUENCY])
    step = (ends[1] - ends[0]) / _WAVES
    k = np.exp(ends[0] + step * (np.arange(_WAVES) + 0.5))
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(_WAVES)
    ky, kx = k * np.sin(angle), k * np.cos(angle)
    amplitude = rng.standard_normal((draws, _WAVES)) + 1j * rng.standard_normal((draws, _WAVES))
    shares, winds = np.array(_LAYERS).T
    layer = rng.choice(len(shares), p=shares, size=(draws, _WAVES))
    heading = rng.uniform(0, 2 * np.pi, (draws, len(shares)))
    if draws > 1:  # the ensemble power of each wave is made exact, so that fewer draws suffice
        amplitude -= amplitude.mean(0)
        amplitude *= np.sqrt(2 / (np.abs(amplitude) ** 2).mean(0))
    amplitude *= np.sqrt(2 * np.pi * PSD * k ** (-5 / 3) * step)
    speed = travel * winds / np.dot(shares, winds ** (5 / 3)) ** 0.6
    drift = ky * np.take_along_axis(np.sin(heading) * speed, layer, 1)
    drift += kx * np.take_along_axis(np.cos(heading) * speed, layer, 1)
    times = (np.arange(moments) + 0.5) / moments - 0.5
    moving = amplitude[:, None] * np.exp(2j * np.pi * drift[:, None] * times[:, None])
    at = (np.arange(_CELLS) + 0.5) / _CELLS - 0.5
    rows, columns = (np.exp(2j * np.pi * np.outer(at, q)).astype(np.complex64) for q in (ky, kx))
    waves = (rows[:, None] * columns[None]).reshape(-1, _WAVES)
    flat = moving.reshape(-1, _WAVES).astype(np.complex64)
    screens: F32 = flat.real @ waves.real.T - flat.imag @ waves.imag.T
    return screens.reshape(draws, moments, _CELLS, _CELLS)


def transfers(phases: F32, obstruction: float) -> C64:
    """Transfer functions (draw, y, x) of phases (draw, moment, y, x): rfft2 layout, cut-off at 0.5 cycles per pixel."""
    mask = aperture_mask(_CELLS + 2, Aperture(float(_CELLS), obstruction))[1:-1, 1:-1]
    open_ = mask > 0
    padded = np.zeros((phases.shape[1], _CELLS, 2 * _CELLS), np.complex64)
    spectra = np.empty((len(phases), 2 * _CELLS, _CELLS + 1), np.complex64)
    for draw, phase in enumerate(phases):
        angle = phase[:, open_]
        padded[:, :, :_CELLS][:, open_] = mask[open_] * (np.cos(angle) + 1j * np.sin(angle))
        amplitude = fft.fft(fft.fft(padded, axis=2), n=2 * _CELLS, axis=1, overwrite_x=True)
        image = (amplitude.real**2 + amplitude.imag**2).sum(0)
        spectra[draw] = fft.rfft2(image / image.sum())
    return spectra


def aligned_transfers(spectra: C64, iterations: int = 4) -> C64:
    """`spectra` (draw, y, x) registered as frames are: by their correlation with the mean, weighted to low frequencies."""
    n = spectra.shape[1]
    radius = radii((n, n), 0.5)
    low = (radius > 0) & (radius < 0.5)
    f = np.stack(np.broadcast_arrays(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None])).astype(np.float32)
    fy, fx = f[:, low]
    weight = (np.maximum(radius[low], 2 / n) ** -1.5).astype(np.float32)
    coarse = spectra[:, low]
    move = -np.stack([np.angle(spectra[:, 1, 0]), np.angle(spectra[:, 0, 1])], 1) * n / (2 * np.pi)
    for _ in range(iterations):
        aligned = coarse * np.exp(2j * np.pi * (move[:, :1] * fy + move[:, 1:] * fx)).astype(np.complex64)
        cross = weight * aligned * aligned.mean(0).conj()
        curvature = np.maximum(cross.real, 0)
        slopes = [(cross.imag * q).sum(1) / (curvature * q * q).sum(1) / (2 * np.pi) for q in (fy, fx)]
        move = move - np.clip(np.stack(slopes, 1), -2.0, 2.0)
    rows = np.exp(2j * np.pi * move[:, :1] * f[0, :, 0]).astype(np.complex64)
    columns = np.exp(2j * np.pi * move[:, 1:] * f[1, 0]).astype(np.complex64)
    moved: C64 = spectra * rows[:, :, None] * columns[:, None]
    return moved


def curves(spectra: C64) -> SpeckleCurves:
    """Ring curves, each (ring,), of transfer functions as `transfers` gives them."""
    draws = len(spectra)
    radius = radii((spectra.shape[1], spectra.shape[1]), 0.5)
    inside = radius <= 1.0
    power = np.abs(spectra[:, inside]).astype(np.float64) ** 2
    mean = np.abs(aligned_transfers(spectra)[:, inside].mean(0)).astype(np.float64) ** 2
    signal, power_variance = power.mean(0), power.var(0) * draws / (draws - 1)
    coherent = (draws * mean - signal) / (draws - 1)
    squared = signal**2 - power_variance / draws
    log_power = radial_profile(np.log(np.maximum(signal, 1e-12)), radius[inside])
    smooth = np.exp(np.interp(radius[inside], RINGS, log_power))
    stack = np.stack([coherent / smooth, signal / smooth, power_variance / smooth**2, squared / smooth**2])
    rings = radial_profile(stack, radius[inside])
    return SpeckleCurves(log_power, rings[0] / rings[1], rings[2] / rings[3])
