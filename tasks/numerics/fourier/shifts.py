"""Shifting frames: by whole pixels, or by any fraction with an all-pass phase ramp."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Image = NDArray[np.float32]


def phase_ramp(size: tuple[int, int], move: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Factor (y, x//2+1) on the rfft2 spectrum of a picture of `size` (y, x) that shifts it by `move` (dy, dx) px, circularly."""
    along_y = np.exp(-2j * np.pi * fft.fftfreq(size[0]) * float(move[0]))
    along_x = np.exp(-2j * np.pi * fft.rfftfreq(size[1]) * float(move[1]))
    return np.outer(along_y.astype(np.complex64), along_x.astype(np.complex64))


def best_shift(cross: NDArray[np.complex64], size: int, farthest: int | None = None) -> tuple[float, float, float]:
    """Maximum of the cross-correlation of two pictures of size x size px: (value, dy, dx).

    The shift (dy, dx) px registers the second picture onto the first; at most `farthest` px along each axis, or anywhere
    if that is None. `cross` (y, x//2+1) is the first one's spectrum times the other's conjugate. To the pixel by FFT, then
    on finer and finer grids around the maximum.
    """
    once = np.arange(cross.shape[-1]) % (size / 2) == 0
    doubled = cross * np.where(once, 1.0, 2.0)  # the other half-plane is not stored
    coarse = fft.irfft2(cross, s=(size, size))
    if farthest is not None:
        outside = np.abs(fft.fftfreq(size, 1 / size)) > farthest
        coarse[outside], coarse[:, outside] = -np.inf, -np.inf
    peak = np.unravel_index(int(np.argmax(coarse)), coarse.shape)
    y, x = (float((n + size // 2) % size - size // 2) for n in peak)
    fy, fx = fft.fftfreq(size), fft.rfftfreq(size)
    best = -np.inf
    for step in (0.25, 0.05, 0.01):
        grid = np.arange(-5, 6) * step
        rows = np.exp(2j * np.pi * np.outer(y + grid, fy))
        columns = np.exp(2j * np.pi * np.outer(fx, x + grid))
        values = (rows @ doubled @ columns).real
        i, j = np.unravel_index(int(np.argmax(values)), values.shape)
        best, y, x = float(values[i, j]), y + float(grid[i]), x + float(grid[j])
    return best, y, x


def shift_frames(block: Image, moves: NDArray[np.float32]) -> Image:
    """Frames (frame, channel, y, x) shifted by `moves` (frame, 2) px; registering them is `moves = -shifts`.

    All-pass, because a spline would smooth the noise. The border is filled by the mirror image.
    """
    moved = np.empty(block.shape, np.float32)
    for k in range(len(block)):  # one by one, what is transformed stays in the cache: half the time
        one = slice(k, k + 1)
        moved[one] = _shift_axis(_shift_axis(block[one], moves[one, 0], -2), moves[one, 1], -1)
    return moved


def _shift_axis(block: Image, moves: NDArray[np.float32], axis: int) -> Image:
    """By cosine and sine transforms, which hold the mirror image without its being there."""
    n, shape = block.shape[axis], [len(block), 1, 1, 1]
    shape[axis] = n
    angles = np.outer(moves, np.pi * np.arange(n + 1) / n)
    cosine, sine = (function(angles).astype(np.float32) for function in (np.cos, np.sin))
    waves = fft.dct(block, axis=axis)
    even = fft.idct(waves * cosine[:, :-1].reshape(shape), axis=axis)
    odd = np.zeros_like(waves)
    np.moveaxis(odd, axis, -1)[..., :-1] = np.moveaxis(waves, axis, -1)[..., 1:]
    odd *= sine[:, 1:].reshape(shape)
    return np.asarray(even + fft.idst(odd, axis=axis, overwrite_x=True), np.float32)


def split(shifts: NDArray[np.float32], period: int = 1) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Shifts as (whole periods, rest within half a period), px: frames are moved by the first, tip and tilt model the second."""
    whole = np.rint(shifts / period) * period
    return whole.astype(np.int64), (shifts - whole).astype(np.float32)


def move_whole(block: Image, whole: NDArray[np.int64]) -> Image:
    """Frames moved by whole pixels (registering them is `-whole`), the border filled by the mirror image."""
    ny, nx = block.shape[-2:]
    moved = np.empty_like(block)
    for k, (dy, dx) in enumerate(whole):
        moved[k] = block[k][:, _mirror(np.arange(ny) - dy, ny)[:, None], _mirror(np.arange(nx) - dx, nx)]
    return moved


def covered(size: tuple[int, int], moves: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask (frame, y, x) of the data in frames shifted by `moves`, without the mirrored filling.

    Averages need it as a weight: a planet near the border would leave its mirror image otherwise.
    """
    inside = []
    for axis, n in enumerate(size):
        source = np.arange(n) - moves[:, axis, None]
        inside.append((source > -0.5) & (source < n - 0.5))
    return np.asarray(inside[0][:, :, None] & inside[1][:, None, :])


def _mirror(index: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Indices folded into 0 .. n-1 by reflection at the pixel edges."""
    folded = index % (2 * n)
    return np.where(folded < n, folded, 2 * n - 1 - folded)
