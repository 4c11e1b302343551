"""Drifting Kolmogorov phase screens for the simulator."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.optics.kolmogorov import von_karman

Wave = tuple[NDArray[np.float64], NDArray[np.complex128]]
"""Plane waves: wave vectors (wave, 2) ky, kx in cycles per cell; complex amplitudes (wave,) in rad."""


def periodic_screen(
    shape: tuple[int, int], r0_px: float, outer_scale_px: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The part of a screen that repeats every `shape` cells: all Fourier bins but the innermost 3 x 3.

    Those nine carry most of the power, on which the spectrum is too steep for one sample each: see `slow_waves`.
    """
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    k = np.hypot(ky, kx)
    k[0, 0] = 1.0
    power = von_karman(k, r0_px, outer_scale_px)
    power[(np.abs(ky) < 1.5 / shape[0]) & (np.abs(kx) < 1.5 / shape[1])] = 0.0
    white = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    screen: NDArray[np.float32] = np.fft.irfft2(white * np.sqrt(power), s=shape).astype(np.float32)
    return screen


def slow_waves(
    shape: tuple[int, int], r0_px: float, outer_scale_px: float, rng: np.random.Generator, levels: int
) -> Wave:
    """Subharmonics (Lane 1992): the innermost 3 x 3 bins, subdivided by three at each level.

    Each wave vector is random within its bin, so that the spectrum is right on average however steep it is, and the sum
    does not repeat.
    """
    ring = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)], dtype=np.float64)
    vectors, amplitudes = [np.zeros((0, 2))], [np.zeros(0, dtype=np.complex128)]
    for level in range(levels):
        cell = 3.0**-level / np.array(shape, dtype=np.float64)
        k = (ring + rng.uniform(-0.5, 0.5, ring.shape)) * cell
        power = von_karman(np.hypot(k[:, 0], k[:, 1]), r0_px, outer_scale_px) * cell[0] * cell[1]
        draw = rng.standard_normal((2, len(k)))
        vectors.append(k)
        amplitudes.append((draw[0] + 1j * draw[1]) * np.sqrt(power))
    return np.concatenate(vectors), np.concatenate(amplitudes)


def evaluate_waves(waves: Wave, shape: tuple[int, int], origin: tuple[float, float]) -> NDArray[np.float32]:
    """Phase in rad of the waves on a grid of `shape` cells whose first cell lies at `origin` (y, x)."""
    k, amplitude = waves
    rows = np.exp(2j * np.pi * np.outer(np.arange(shape[0]) + origin[0], k[:, 0]))
    columns = np.exp(2j * np.pi * np.outer(k[:, 1], np.arange(shape[1]) + origin[1]))
    phase: NDArray[np.float32] = ((rows * amplitude) @ columns).real.astype(np.float32)
    return phase


def _cubic(fraction: float) -> NDArray[np.float32]:
    """Weights of the four cells around a point (Keys 1981); linear ones would smooth the fine structure."""
    t = fraction
    weights = np.array([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
    return (weights / 2).astype(np.float32)


def screen_crop(screen: NDArray[np.float32], size: int, origin: tuple[float, float]) -> NDArray[np.float32]:
    """The size x size crop of a periodic screen whose first cell lies at the sub-cell position `origin` (y, x)."""
    whole = np.floor(origin).astype(int)
    taps = np.arange(-1, size + 2)
    piece = screen[np.ix_((whole[0] + taps) % screen.shape[0], (whole[1] + taps) % screen.shape[1])]
    wy, wx = _cubic(origin[0] - whole[0]), _cubic(origin[1] - whole[1])
    rows = sum((wy[i] * piece[i : i + size] for i in range(4)), np.zeros((size, size + 3), dtype=np.float32))
    return sum((wx[i] * rows[:, i : i + size] for i in range(4)), np.zeros((size, size), dtype=np.float32))


def pupil_phases(
    size: int,
    r0_px: float,
    outer_scale_px: float,
    layers: Sequence[tuple[float, float, float]],
    times_s: NDArray[np.float64],
    rng: np.random.Generator,
) -> Iterator[NDArray[np.float32]]:
    """Phase over the pupil, (size, size) in rad, at each of `times_s`: layers of frozen flow.

    `layers` hold (share of the turbulence, wind y, wind x) with the winds in cells per second; the shares are
    normalised. The periodic part of a layer repeats after 12 pupils or more, the sum of all layers does not.
    Memory: one screen per layer.
    """
    total = sum(share for share, _, _ in layers)
    if not layers or total <= 0:
        raise ValueError(f"the layers' shares sum to {total}; give at least one layer with a positive share")
    period = max(256, 1 << int(np.ceil(np.log2(12 * size))))
    screens = []
    for share, wind_y, wind_x in layers:
        r0 = r0_px * (share / total) ** (-3 / 5)
        screen = periodic_screen((period, period), r0, outer_scale_px, rng)
        waves = slow_waves((period, period), r0, outer_scale_px, rng, levels=5)
        screens.append((screen, waves, wind_y, wind_x))
    for time in times_s:
        phase = np.zeros((size, size), dtype=np.float32)
        for screen, waves, wind_y, wind_x in screens:
            origin = (-wind_y * float(time), -wind_x * float(time))
            phase += screen_crop(screen, size, origin) + evaluate_waves(waves, (size, size), origin)
        yield phase
