"""The sky on a canvas wider than the frames: light that the air carried across a frame's border is put back where it was.

A tapered frame blames the border's missing light on the sky. Here every frame is what it is, a window on a blurred sky,
and the best sky is found by conjugate gradients on the normal equations, one pass over the frames per turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor

from tasks.numerics.optics.pupil import multiplicity

REACH = 0.25
"""How far the canvas reaches beyond the frame on each side, as a share of the frame's longer side."""
Pass = Callable[[], Iterable[tuple[Tensor, Tensor, Tensor]]]
"""A pass over the frames in blocks: light and mask (frame, y, x) on the canvas, transfer functions (frame, y, x//2+1)."""


def wide_size(height: int, width: int) -> int:
    """Side of the wide canvas: even, a product of small primes."""
    size = int(max(height, width) * (1 + 2 * REACH))
    while size % 2 or next_fast_len(size, real=True) != size:
        size += 1
    return size


def place(frames: NDArray[np.float32], whole: NDArray[np.int64], size: int) -> tuple[Tensor, Tensor]:
    """Frames (frame, y, x) moved back by `whole` (frame, 2) px on the canvas, and where they have light to tell."""
    light = np.zeros((len(frames), size, size), np.float32)
    mask = np.zeros_like(light)
    height, width = frames.shape[-2:]
    for k, (dy, dx) in enumerate(whole):
        top, left = (size - height) // 2 - int(dy), (size - width) // 2 - int(dx)
        rows = slice(max(0, top), max(0, min(size, top + height)))
        columns = slice(max(0, left), max(0, min(size, left + width)))
        light[k, rows, columns] = frames[
            k, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        mask[k, rows, columns] = 1
    return torch.from_numpy(light), torch.from_numpy(mask)


def widened(curve: Tensor, size: int, wide: int) -> NDArray[np.float64]:
    """A ring curve (ring,) of a canvas of `size` at the ring numbers (y, x//2+1) of a wider one."""
    fy, fx = np.fft.fftfreq(wide)[:, None], np.fft.rfftfreq(wide)[None]
    return np.interp(np.hypot(fy, fx) * size, np.arange(len(curve)), curve.cpu().numpy())


def solve_wide(frames: Pass, floor: Tensor, turns: int) -> Tensor:
    """Spectrum (y, x//2+1) of the sky that best explains all windows, `floor` being noise over sky power."""
    size = floor.shape[-2]
    weight = multiplicity(size, floor.device)

    def explained(sky: Tensor) -> Tensor:
        """The normal equations' left side: what the frames and the prior say of a sky."""
        total = torch.zeros_like(sky)
        for _, mask, transfer in frames():
            seen = mask * torch.fft.irfft2(transfer * sky, s=(size, size))
            total = total + (transfer.conj() * torch.fft.rfft2(seen)).sum(0)
        return total + floor * sky

    def dot(a: Tensor, b: Tensor) -> float:
        return float(((a.conj() * b).real.double() * weight).sum())

    rest = torch.zeros(size, size // 2 + 1, dtype=torch.complex64, device=floor.device)
    power = torch.zeros_like(floor)
    for light, mask, transfer in frames():
        rest = rest + (transfer.conj() * torch.fft.rfft2(mask * light)).sum(0)
        power = power + (transfer.real**2 + transfer.imag**2).sum(0)
    ease = 1 / (power + floor)
    sky, push = torch.zeros_like(rest), ease * rest
    length = dot(rest, push)
    for _ in range(turns):
        answer = explained(push)
        stride = length / max(dot(push, answer), 1e-300)
        sky, rest = sky + stride * push, rest - stride * answer
        eased = ease * rest
        longer = dot(rest, eased)
        push, length = eased + (longer / max(length, 1e-300)) * push, longer
    return sky
