"""Moving frames: by whole pixels, or by any fraction with a phase phase_ramp that passes all frequencies alike."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Image = NDArray[np.float32]


def phase_ramp(size: tuple[int, int], move: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The factor on an rfft2 spectrum of `size` (y, x) that moves the picture by `move` (dy, dx) px, circularly."""
    along_y = np.exp(-2j * np.pi * fft.fftfreq(size[0]) * float(move[0]))
    along_x = np.exp(-2j * np.pi * fft.rfftfreq(size[1]) * float(move[1]))
    return np.outer(along_y, along_x).astype(np.complex64)


def best_shift(cross: NDArray[np.complex64], size: int, farthest: int | None = None) -> tuple[float, float, float]:
    """Where two pictures of size x size px fit best: (overlap, dy, dx), the move in px of the second onto the first.

    No farther than `farthest` px along each axis; None looks everywhere.

    `cross` (y, x//2+1) is the first one's spectrum times the other's conjugate, zero beyond what both show; to the pixel
    by FFT, then on finer and finer grids around the best.
    """
    doubled = cross * np.where(
        np.arange(cross.shape[-1]) % (size / 2) == 0, 1.0, 2.0
    )  # the half-plane that is not kept
    coarse = fft.irfft2(cross, s=(size, size))
    if farthest is not None:
        away = np.abs(fft.fftfreq(size, 1 / size)) > farthest
        coarse[away], coarse[:, away] = -np.inf, -np.inf
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
    """Frames (frame, channel, y, x) with their content moved by `moves` (frame, 2); aligning is `moves = -shifts`.

    All-pass, on the mirror extension: a spline would smooth the noise. What comes in at the border is a mirror image.
    """
    moved = _shift_axis(block, moves[:, 0], -2)
    return _shift_axis(moved, moves[:, 1], -1)


def _shift_axis(block: Image, moves: NDArray[np.float32], axis: int) -> Image:
    n = block.shape[axis]
    mirrored = np.concatenate([block, np.flip(block, axis)], axis=axis)
    phase = np.exp(-2j * np.pi * np.outer(moves, fft.rfftfreq(2 * n))).astype(np.complex64)  # (frame, frequency)
    shape = [len(block), 1, 1, 1]
    shape[axis] = n + 1
    back = fft.irfft(fft.rfft(mirrored, axis=axis) * phase.reshape(shape), n=2 * n, axis=axis)
    return np.ascontiguousarray(np.take(back, np.arange(n), axis=axis), dtype=np.float32)


def split(shifts: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Shifts as (whole pixels, rest within +-0.5): crops take the first, tip and tilt the second."""
    whole = np.rint(shifts)
    return whole.astype(np.int64), (shifts - whole).astype(np.float32)


def move_whole(block: Image, whole: NDArray[np.int64]) -> Image:
    """Frames moved by whole pixels (aligning is `-whole`), the border filled by the mirror image. No arithmetic."""
    ny, nx = block.shape[-2:]
    moved = np.empty_like(block)
    for k, (dy, dx) in enumerate(whole):
        moved[k] = block[k][:, _mirror(np.arange(ny) - dy, ny)[:, None], _mirror(np.arange(nx) - dx, nx)]
    return moved


def covered(size: tuple[int, int], moves: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(frame, y, x): where frames moved by `moves` show data and not the mirrored filling. Averages need it as weight:
    a planet near the border would leave its mirror image otherwise."""
    seen = []
    for axis, n in enumerate(size):
        source = np.arange(n) - moves[:, axis, None]
        seen.append((source > -0.5) & (source < n - 0.5))
    return np.asarray(seen[0][:, :, None] & seen[1][:, None, :])


def _mirror(index: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Indices folded into 0 .. n-1 by reflection at the pixel edges."""
    folded = index % (2 * n)
    return np.where(folded < n, folded, 2 * n - 1 - folded)
