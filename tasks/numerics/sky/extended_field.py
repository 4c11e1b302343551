"""The sky on a canvas wider than the frames, so that light which seeing carried across a frame's border is modelled.

A tapered frame attributes light missing at its border to the sky. Here every frame is a window on a blurred sky, and the
regularised least-squares sky is found by preconditioned conjugate gradients, one pass over the frames per iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.canvas import centred, fast_even
from tasks.numerics.fourier.rings import multiplicity, radius
from tasks.numerics.fourier.sampling import FULL, Sampling

MARGIN = 0.25
"""How far the canvas extends beyond the frame on each side, as a fraction of the frame's longer side."""
Pass = Callable[[], Iterable[tuple[Tensor, Tensor, Tensor]]]
"""A pass over the frames in blocks: light and mask (frame, y, x) on the canvas, transfer functions (frame, y, x//2+1)."""
Windows = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""The same without the light, which only the right side of the equations needs: mask and transfer functions."""


def extended_size(height: int, width: int, period: int = 1) -> int:
    """Side of the extended canvas: even, whole periods of a mask, a product of small primes."""
    return fast_even(int(max(height, width) * (1 + 2 * MARGIN)), period)


def paste(frames: NDArray[np.float32], whole: NDArray[np.int64], size: int) -> Tensor:
    """Frames (frame, y, x) moved back by `whole` (frame, 2) px on the canvas (frame, size, size), zero beside them."""
    canvas = np.zeros((len(frames), size, size), np.float32)
    height, width = frames.shape[-2:]
    middle = centred((height, width), size)
    for k, (dy, dx) in enumerate(whole):
        top, left = middle[0].start - int(dy), middle[1].start - int(dx)
        rows = slice(max(0, top), max(0, min(size, top + height)))
        columns = slice(max(0, left), max(0, min(size, left + width)))
        shown = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        canvas[k, rows, columns] = frames[k][shown]
    return torch.from_numpy(canvas)


def window_masks(shape: tuple[int, int], whole: NDArray[np.int64], size: int, sampling: Sampling = FULL) -> Tensor:
    """The pixels (frame, size, size) that frames of `shape` (y, x) have on the canvas where `paste` puts them."""
    return paste(np.broadcast_to(sampling.mask(*shape), (len(whole), *shape)), whole, size)


def resampled_rings(curve: Tensor, size_from: int, size_to: int) -> NDArray[np.float64]:
    """A ring curve (ring,) of a canvas of `size_from`, interpolated on the half-plane (y, x//2+1) of another size."""
    return np.interp(radius((size_to, size_to)) * size_from, np.arange(len(curve)), curve.cpu().numpy())


def enlarged(spectrum: Tensor, size_to: int) -> Tensor:
    """A sky's spectrum (y, x//2+1) on a larger canvas, dark beyond its own."""
    size = spectrum.shape[-2]
    sky = torch.zeros(size_to, size_to)
    sky[centred((size, size), size_to)] = torch.fft.irfft2(spectrum, s=(size, size))
    larger: Tensor = torch.fft.rfft2(sky)
    return larger


def solve_extended(
    frames: Pass,
    windows: Windows,
    floor: Tensor,
    iterations: int,
    density: float = 1.0,
    start: Tensor | None = None,
    metric: Tensor | None = None,
) -> Tensor:
    """Spectrum (y, x//2+1) of the sky that best fits all windows; `floor` is noise over sky power.

    `density` is the share of its pixels that a frame has; with fewer of them a good `start` saves many iterations.
    `metric` (y, x//2+1) weighs the windows' residuals where their noise is not white: the least noise over the noise.
    """
    size = floor.shape[-2]

    def normal_matrix(sky: Tensor) -> Tensor:
        """The left side of the normal equations, applied to a sky."""
        total = torch.zeros_like(sky)
        for mask, transfer in windows():
            windowed = torch.fft.irfft2(transfer * sky, s=(size, size)).mul_(mask)
            total += (_weighted(windowed, mask, metric).mul_(transfer.conj())).sum(0)
        return total + floor * sky

    dot = partial(_dot, multiplicity(size, floor.device))
    residual, power = _right_side(frames, floor, metric)
    preconditioner = 1 / (power * density + floor)
    sky = torch.zeros_like(residual)
    if start is not None:
        sky, residual = start, residual - normal_matrix(start)
    direction = preconditioner * residual
    norm = dot(residual, direction)
    for _ in range(iterations):
        product = normal_matrix(direction)
        step = norm / max(dot(direction, product), 1e-300)
        sky, residual = sky + step * direction, residual - step * product
        conditioned = preconditioner * residual
        previous, norm = norm, dot(residual, conditioned)
        direction = conditioned + (norm / max(previous, 1e-300)) * direction
    return sky


def _dot(weight: Tensor, a: Tensor, b: Tensor) -> float:
    return float(((a.conj() * b).real.double() * weight).sum())


def _right_side(frames: Pass, floor: Tensor, metric: Tensor | None) -> tuple[Tensor, Tensor]:
    """The right side of the normal equations, and the sum of |H|^2 over the frames, weighted."""
    size = floor.shape[-2]
    cross = torch.zeros(size, size // 2 + 1, dtype=torch.complex64, device=floor.device)
    power = torch.zeros_like(floor)
    for light, mask, transfer in frames():
        cross += (_weighted(mask * light, mask, metric).mul_(transfer.conj())).sum(0)
        power = power + (transfer.real**2 + transfer.imag**2).sum(0)
    return cross, power if metric is None else metric * power


def _weighted(windowed: Tensor, mask: Tensor, metric: Tensor | None) -> Tensor:
    """Spectra of windowed light (frame, y, x), weighted by the metric within the windows."""
    spectrum = torch.fft.rfft2(windowed)
    if metric is None:
        return spectrum
    return torch.fft.rfft2(mask * torch.fft.irfft2(metric * spectrum, s=windowed.shape[-2:]))
