"""The telescope's pupil: aperture, phase modes, and the transfer functions that phases make of it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

OVERSAMPLING = 8  # sub-cells per cell and axis: the antialiased edge is good to 1/64


def diameter_cells(size: int, aperture_m: float, wavelength_m: float, pixel_scale_rad: float) -> float:
    """Pupil diameter in cells of a size x size grid: half the grid at Nyquist sampling (pixel = wavelength / 2D)."""
    return aperture_m / wavelength_m * pixel_scale_rad * size


def aperture(size: int, diameter: float, obstruction: float) -> NDArray[np.float32]:
    """Antialiased mask (size, size) of an annular pupil, centred on [size//2, size//2].

    `diameter` in grid cells, `obstruction` as a fraction of it.
    """
    fine = (np.arange(size * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5 - size // 2
    square = fine[:, None] ** 2 + fine[None, :] ** 2
    open_ = (square <= (diameter / 2) ** 2) & (square >= (obstruction * diameter / 2) ** 2)
    cells = open_.reshape(size, OVERSAMPLING, size, OVERSAMPLING).mean((1, 3))
    return np.asarray(cells, dtype=np.float32)


def noll(j: int) -> tuple[int, int]:
    """Radial and signed azimuthal order of Noll's Zernike mode j (1 = piston, 2 and 3 = tip and tilt)."""
    n = int((math.sqrt(8 * j - 7) - 1) / 2)
    place = j - n * (n + 1) // 2
    m = 2 * (place // 2) if n % 2 == 0 else 2 * ((place - 1) // 2) + 1
    return n, m if j % 2 == 0 else -m


def zernike(j: int, rho: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noll's Zernike mode j at polar coordinates in the unit disc, of unit variance over the full disc."""
    n, signed = noll(j)
    m = abs(signed)
    radial = np.zeros_like(rho)
    for s in range((n - m) // 2 + 1):
        weight = math.comb(n - s, s) * math.comb(n - 2 * s, (n - m) // 2 - s)
        radial += (-1) ** s * weight * rho ** (n - 2 * s)
    if m == 0:
        return np.asarray(math.sqrt(n + 1) * radial)
    turn = np.cos(m * theta) if signed > 0 else np.sin(m * theta)
    return np.asarray(math.sqrt(2 * (n + 1)) * radial * turn)


@dataclass(frozen=True)
class Pupil:
    """What the solver knows of the telescope: only the cells that let light in are kept."""

    size: int
    """Frames are size x size pixels."""
    grid: int
    """PSFs are made on grid x grid of these pixels: light that aperture and air carry farther is folded in."""
    cutoff: float
    """Highest frequency that passes, cycles per pixel."""
    box: int
    """Side of the smallest square of cells that holds the pupil."""
    cells: Tensor
    """(cell,) flat index of each open cell inside the box."""
    amplitude: Tensor
    """(cell,) open fraction of each cell, 0..1."""
    modes: Tensor
    """(mode, cell) phase modes, orthonormal over the open cells: a mode of weight 1 has 1 rad rms."""

    def to(self, device: torch.device | str) -> Pupil:
        """The same pupil on another device."""
        moved = (self.cells.to(device), self.amplitude.to(device), self.modes.to(device))
        return Pupil(self.size, self.grid, self.cutoff, self.box, *moved)


@functools.lru_cache(maxsize=4)  # the modes cost a QR, and every block of frames asks for the same pupil again
def pupil(size: int, diameter: float, obstruction: float, n_modes: int, grid: int = 0) -> Pupil:
    """The pupil of frames of size x size pixels with Zernike modes j = 2 .. n_modes + 1; PSFs are `grid` pixels wide.

    `diameter` in cells of the frames' own grid may not exceed half of it by more than a cell: pixels coarser than that
    alias.
    """
    grid = grid or size
    diameter *= grid / size
    mask = aperture(grid, diameter, obstruction).astype(np.float64)
    inside = np.argwhere(mask.max(1) > 0)[:, 0]
    low, high = int(inside[0]), int(inside[-1]) + 1
    mask = mask[low:high, low:high]
    row, col = np.nonzero(mask)
    amplitude = mask[row, col]
    y, x = (row + low - grid // 2) / (diameter / 2), (col + low - grid // 2) / (diameter / 2)
    rho, theta = np.minimum(np.hypot(y, x), 1.0), np.arctan2(y, x)
    basis = np.stack([zernike(j, rho, theta) for j in range(1, n_modes + 2)], 1)
    weight = np.sqrt(amplitude / amplitude.sum())[:, None]
    q, r = np.linalg.qr(basis * weight)  # Gram-Schmidt in Noll's order: low modes stay what they are
    modes = (q * np.sign(np.diag(r)) / weight)[:, 1:].T
    return Pupil(
        size,
        grid,
        diameter / grid,
        high - low,
        torch.from_numpy(row * (high - low) + col),
        torch.from_numpy(amplitude).float(),
        torch.from_numpy(modes.copy()).float(),
    )


def cells_of(eye: Pupil, phases: Tensor) -> Tensor:
    """Complex pupil function of each frame inside the open cells, (frame, cell)."""
    return torch.polar(eye.amplitude.expand(len(phases), -1), phases @ eye.modes)


def fields(eye: Pupil, cells: Tensor) -> Tensor:
    """Complex focal-plane fields (frame, y, x) of pupil functions given on the open cells.

    The two transforms run one after the other because half of the first one's rows are dark.
    """
    square = torch.zeros(len(cells), eye.box * eye.box, dtype=cells.dtype, device=cells.device)
    square[:, eye.cells] = cells
    rows = torch.fft.fft(square.view(-1, eye.box, eye.box), n=eye.grid, dim=-1)
    whole: Tensor = torch.fft.fft(rows, n=eye.grid, dim=-2)
    return whole


def light(eye: Pupil) -> float:
    """What |field|^2 sums to: dividing by it makes every PSF sum to one."""
    return float((eye.amplitude.double() ** 2).sum()) * eye.grid**2


def psfs(eye: Pupil, phases: Tensor) -> Tensor:
    """PSFs (frame, grid, grid), centred on [0, 0], non-negative, sum one, from phases (frame, mode) in rad."""
    return intensity(eye, fields(eye, cells_of(eye, phases)))


def intensity(eye: Pupil, field: Tensor) -> Tensor:
    """PSFs (frame, grid, grid) of their complex fields."""
    return (field.real**2 + field.imag**2) / light(eye)


def spectra_of(eye: Pupil, psf: Tensor) -> Tensor:
    """Spectra (frame, y, x//2+1) on the frames' grid of pictures (frame, grid, grid) centred on [0, 0].

    A smaller square ends at its edge, which leaks a thousandth beyond the cut-off: `passed` takes that off.
    """
    if eye.grid == eye.size:
        spectra: Tensor = torch.fft.rfft2(psf)
        return spectra
    rows = torch.fft.rfft(_apart(psf, eye.size, -1), dim=-1)
    whole: Tensor = torch.fft.fft(_apart(rows, eye.size, -2), dim=-2)
    return whole


def pictures_of(eye: Pupil, spectra: Tensor) -> Tensor:
    """The part (frame, grid, grid) around [0, 0] of the pictures that spectra (frame, y, x//2+1) stand for."""
    if eye.grid == eye.size:
        pictures: Tensor = torch.fft.irfft2(spectra, s=(eye.size, eye.size))
        return pictures
    columns = _together(torch.fft.ifft(spectra, dim=-2), eye.grid, -2)
    return _together(torch.fft.irfft(columns, n=eye.size, dim=-1), eye.grid, -1)


def passed(eye: Pupil, spectra: Tensor) -> Tensor:
    """What of spectra (..., y, x//2+1) the telescope lets pass: nothing beyond the cut-off, where a smaller square leaks."""
    return spectra if eye.grid == eye.size else spectra * _band(eye.size, eye.cutoff, str(eye.modes.device))


@functools.lru_cache(maxsize=4)
def _band(size: int, cutoff: float, device: str) -> Tensor:
    return (frequencies(size, device) <= cutoff).float()


def _apart(values: Tensor, size: int, dim: int) -> Tensor:
    """Zeros put into the middle of an axis that wraps around, so that it is `size` long."""
    few = values.shape[dim]
    shape = list(values.shape)
    shape[dim] = size - few
    ahead, behind = values.narrow(dim, 0, few // 2), values.narrow(dim, few // 2, few - few // 2)
    return torch.cat([ahead, values.new_zeros(shape), behind], dim)


def _together(values: Tensor, few: int, dim: int) -> Tensor:
    """The middle of an axis that wraps around taken out, so that it is `few` long."""
    behind = few - few // 2
    return torch.cat([values.narrow(dim, 0, few // 2), values.narrow(dim, values.shape[dim] - behind, behind)], dim)


def otfs(eye: Pupil, phases: Tensor) -> Tensor:
    """Transfer functions (frame, y, x//2+1) of phases (frame, mode)."""
    return passed(eye, spectra_of(eye, psfs(eye, phases)))


def tilt(eye: Pupil, move: tuple[float, float]) -> Tensor:
    """Weights (mode,) in rad of the phase that moves a PSF by `move` (dy, dx) px."""
    row, column = eye.cells // eye.box, eye.cells % eye.box
    wave = 2 * math.pi * (move[0] * row + move[1] * column) / eye.grid
    weight = eye.amplitude / eye.amplitude.sum()
    return eye.modes @ (weight * wave.to(eye.modes.dtype))


def perfect(eye: Pupil) -> Tensor:
    """Transfer function (y, x//2+1) of the telescope without air, real because the pupil is symmetric."""
    flat = torch.zeros(1, len(eye.modes), device=eye.modes.device)
    return otfs(eye, flat)[0].real.clamp_min(0)


def frequencies(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Spatial frequency (y, x//2+1) in cycles per pixel of the half-plane spectrum."""
    fy = torch.fft.fftfreq(size, device=device)
    fx = torch.fft.rfftfreq(size, device=device)
    return torch.hypot(fy[:, None], fx[None, :])


def rings(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Ring number (y, x//2+1): frequency in cycles per field, rounded."""
    return torch.round(frequencies(size, device) * size).long()


def multiplicity(size: int, device: torch.device | str = "cpu") -> Tensor:
    """How often each column of a half-plane spectrum occurs in the full plane, halved: (x//2+1,) of 1 or 1/2."""
    weight = torch.ones(size // 2 + 1, device=device)
    weight[0] = 0.5
    if size % 2 == 0:
        weight[-1] = 0.5
    return weight


def ring_mean(values: Tensor, number: Tensor) -> Tensor:
    """Mean of real values (y, x//2+1) over each ring of the full plane, (ring,)."""
    weight = multiplicity(values.shape[-2], values.device).expand_as(values)
    length = int(number.max()) + 1
    total = torch.zeros(length, dtype=values.dtype, device=values.device)
    count = torch.zeros_like(total)
    total.index_add_(0, number.reshape(-1), (values * weight).reshape(-1))
    count.index_add_(0, number.reshape(-1), weight.reshape(-1).to(values.dtype))
    return total / count.clamp_min(1e-12)
