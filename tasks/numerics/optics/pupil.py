"""The pupil and its Fourier optics: phases to PSFs and transfer functions."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.numerics.fourier.canvas import psf_size
from tasks.numerics.fourier.lattice import WHOLE, Lattice
from tasks.numerics.fourier.rings import frequencies
from tasks.numerics.optics.aperture import Aperture, aperture_mask
from tasks.numerics.optics.zernike import zernike


@dataclass(frozen=True)
class Pupil:
    """The aperture's open cells and the phase modes over them."""

    size: int
    """Frames are size x size pixels."""
    grid: int
    """PSFs are made on grid x grid of these pixels; light that falls farther out is aliased into them."""
    cutoff: float
    """Cut-off frequency, cycles per pixel."""
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
def make_pupil(size: int, aperture: Aperture, n_modes: int, grid: int = 0) -> Pupil:
    """The pupil of frames of size x size pixels with Zernike modes j = 2 .. n_modes + 1.

    PSFs are `grid` pixels wide, or as wide as the frames if it is 0. The aperture's diameter may not exceed half the
    frame's grid by more than a cell: coarser pixels alias.
    """
    grid = grid or size
    diameter = aperture.diameter_cells * (grid / size)
    mask = aperture_mask(grid, Aperture(diameter, aperture.obstruction)).astype(np.float64)
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


def pupil_in_air(size: int, aperture: Aperture, n_modes: int, d_over_r0: float) -> Pupil:
    """The pupil on a canvas of `size`, its PSFs on a square just wide enough for seeing of the given D/r0."""
    return make_pupil(size, aperture, n_modes, psf_size(size, aperture.diameter_cells, d_over_r0))


def pupil_function(pupil: Pupil, phases: Tensor) -> Tensor:
    """Complex pupil function (frame, cell) of phases (frame, mode), on the open cells."""
    return torch.polar(pupil.amplitude.expand(len(phases), -1), phases @ pupil.modes)


def amplitudes(pupil: Pupil, cells: Tensor) -> Tensor:
    """Complex amplitudes (frame, grid, grid) in the focal plane of pupil functions (frame, cell).

    The transforms along x and y run one after the other: the first one skips the rows outside the pupil.
    """
    square = torch.zeros(len(cells), pupil.box * pupil.box, dtype=cells.dtype, device=cells.device)
    square[:, pupil.cells] = cells
    rows = torch.fft.fft(square.view(-1, pupil.box, pupil.box), n=pupil.grid, dim=-1)
    whole: Tensor = torch.fft.fft(rows, n=pupil.grid, dim=-2)
    return whole


def total_intensity(pupil: Pupil) -> float:
    """Sum of |amplitude|^2 over the focal plane, the same for all phases; PSFs are normalised by it."""
    return float((pupil.amplitude.double() ** 2).sum()) * pupil.grid**2


def psfs(pupil: Pupil, phases: Tensor) -> Tensor:
    """PSFs (frame, grid, grid), centred on [0, 0], non-negative, sum one, from phases (frame, mode) in rad."""
    return intensity(pupil, amplitudes(pupil, pupil_function(pupil, phases)))


def intensity(pupil: Pupil, amplitude: Tensor) -> Tensor:
    """PSFs (frame, grid, grid) of complex amplitudes in the focal plane."""
    return (amplitude.real**2 + amplitude.imag**2) / total_intensity(pupil)


def spectra_of(pupil: Pupil, psf: Tensor) -> Tensor:
    """Spectra (frame, y, x//2+1) on the frames' grid of pictures (frame, grid, grid) centred on [0, 0].

    The edge of a smaller square leaks about a thousandth beyond the cut-off; `band_limited` removes it.
    """
    if pupil.grid == pupil.size:
        spectra: Tensor = torch.fft.rfft2(psf)
        return spectra
    rows = torch.fft.rfft(_padded(psf, pupil.size, -1), dim=-1)
    whole: Tensor = torch.fft.fft(_padded(rows, pupil.size, -2), dim=-2)
    return whole


def band_limited(pupil: Pupil, spectra: Tensor, lattice: Lattice = WHOLE) -> Tensor:
    """Spectra (..., y, x//2+1) on a lattice set to zero beyond the cut-off, where PSFs on a smaller square leak."""
    if pupil.grid == pupil.size:
        return spectra
    return spectra * lattice.of(_band(pupil.size, pupil.cutoff, str(pupil.modes.device)))


@functools.lru_cache(maxsize=4)
def _band(size: int, cutoff: float, device: str) -> Tensor:
    return (frequencies(size, device) <= cutoff).float()


def _padded(values: Tensor, size: int, dim: int) -> Tensor:
    """An axis centred on index 0 zero-padded in its middle to the length `size`."""
    few = values.shape[dim]
    shape = list(values.shape)
    shape[dim] = size - few
    ahead, behind = values.narrow(dim, 0, few // 2), values.narrow(dim, few // 2, few - few // 2)
    return torch.cat([ahead, values.new_zeros(shape), behind], dim)


def otfs(pupil: Pupil, phases: Tensor) -> Tensor:
    """Transfer functions (frame, y, x//2+1) of phases (frame, mode)."""
    return band_limited(pupil, spectra_of(pupil, psfs(pupil, phases)))


def tilt(pupil: Pupil, shift: tuple[float, float]) -> Tensor:
    """Weights (mode,) in rad of the phase that shifts a PSF by `shift` (dy, dx) px."""
    row, column = pupil.cells // pupil.box, pupil.cells % pupil.box
    wave = 2 * math.pi * (shift[0] * row + shift[1] * column) / pupil.grid
    weight = pupil.amplitude / pupil.amplitude.sum()
    return pupil.modes @ (weight * wave.to(pupil.modes.dtype))


def diffraction_otf(pupil: Pupil) -> Tensor:
    """Transfer function (y, x//2+1) of the telescope without turbulence, real because the pupil is symmetric."""
    flat = torch.zeros(1, len(pupil.modes), device=pupil.modes.device)
    return otfs(pupil, flat)[0].real.clamp_min(0)
