"""From phases to transfer functions and from derivatives back to phases, laid out in memory as transforms are fastest.

Every transform runs along the last axis, and what has to be zero is zero from the beginning. Spectra are therefore
(frame, x//2+1, y) here: `by_columns` and `by_rows` turn those of the half-plane (frame, y, x//2+1) into them and back.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tasks.numerics.fourier.lattice import WHOLE, Lattice
from tasks.numerics.optics.pupil import Pupil, total_intensity

CHUNK = 8
"""Frames per transform: more of them spill the cache."""


def by_columns(spectra: Tensor) -> Tensor:
    """Spectra (..., y, x//2+1) as (..., x//2+1, y)."""
    return spectra.mT.contiguous()


def by_rows(spectra: Tensor) -> Tensor:
    """Spectra (..., x//2+1, y) as (..., y, x//2+1)."""
    return spectra.mT.contiguous()


def frame_spectra(frames: Tensor) -> Tensor:
    """Spectra (frame, y, x//2+1) of frames (frame, y, x), in memory already as `by_columns` wants them."""
    spectra: Tensor = torch.fft.fft(by_columns(torch.fft.rfft(frames))).mT
    return spectra


class Propagation:
    """The optics of some frames: what the way to the transfer functions leaves is kept for the way back."""

    def __init__(self, pupil: Pupil, frames: int) -> None:
        """Memory for so many frames."""
        self.pupil, self.frames = pupil, frames
        device, few = pupil.modes.device, min(CHUNK, frames)
        box, grid, size = pupil.box, pupil.grid, pupil.size
        # Modes over the whole box (x, y), zero outside the pupil: a product of matrices is faster than a scatter.
        cells = pupil.cells % box * box + pupil.cells // box
        self._modes = torch.zeros(len(pupil.modes), box * box, device=device)
        self._modes[:, cells] = pupil.modes
        self._by_cell = self._modes.T.contiguous()
        self._open = torch.zeros(box * box, device=device)
        self._open[cells] = pupil.amplitude / total_intensity(pupil) ** 0.5
        self._cells = self._complex(frames, box, box)
        self._amplitude: dict[int, Tensor] = {}
        self._transfer: dict[int, Tensor] = {}
        self._columns, self._rows = self._complex(few, box, grid), self._complex(few, grid, grid)
        self._psf = torch.zeros(few, grid, size, device=device)
        self._corners = _corners(grid, size)
        self._lines: dict[Lattice, _Lines] = {}

    def lines(self, lattice: Lattice) -> _Lines:
        """The transforms along y for the frequencies of a lattice."""
        if lattice not in self._lines:
            self._lines[lattice] = _Lines(self.pupil, lattice, min(CHUNK, self.frames))
        return self._lines[lattice]

    def _complex(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.complex64, device=self.pupil.modes.device)

    def chunks(self) -> list[slice]:
        """The frames, a few at a time."""
        return [slice(start, min(start + CHUNK, self.frames)) for start in range(0, self.frames, CHUNK)]

    def conjugate_transfer(self, frames: slice, phases: Tensor, lattice: Lattice = WHOLE) -> Tensor:
        """Conjugate transfer functions (frame, x//2+1, y) of the phases (frame, mode) of a chunk of frames, on a lattice.

        PSFs on a square smaller than the frame leak about a thousandth beyond the cut-off.
        """
        few, box = len(phases), self.pupil.box
        wave, cells = phases @ self._modes, self._cells[frames]
        torch.complex(torch.cos(wave).mul_(self._open), torch.sin(wave).mul_(self._open), out=cells.view(few, -1))
        columns, rows = self._columns[:few], self._rows[:few]
        columns[:, :, :box] = cells
        rows[:, :, :box] = torch.fft.fft(columns).mT
        amplitude = torch.fft.fft(rows)
        squares = torch.view_as_real(amplitude).square()
        psf = self._psf[:few]
        for here, there in self._corners:
            torch.add(squares[:, :, here, 0], squares[:, :, here, 1], out=psf[:, :, there])
        transfer = self.lines(lattice).ahead(torch.fft.rfft(psf))
        self._amplitude[frames.start], self._transfer[frames.start] = amplitude, transfer
        return transfer

    def transfer_kept(self, frames: slice) -> Tensor:
        """What `conjugate_transfer` returned for these frames."""
        return self._transfer[frames.start]

    def phase_gradient(self, frames: slice, derivative: Tensor, lattice: Lattice = WHOLE) -> Tensor:
        """Gradient by the phases (frame, mode) of a loss, from its derivative by conj(H) (frame, x//2+1, y) on a lattice."""
        few, box, size = len(derivative), self.pupil.box, self.pupil.size
        rows = self.lines(lattice).back(derivative)
        by_psf, amplitude = torch.fft.irfft(rows, n=size, norm="forward"), self._amplitude[frames.start]
        seen = torch.empty_like(amplitude)
        for here, there in self._corners:
            torch.mul(amplitude[:, :, here], by_psf[:, :, there], out=seen[:, :, here])
        rows = torch.fft.ifft(seen, norm="forward")[:, :, :box].mT.contiguous()
        square = torch.fft.ifft(rows, norm="forward")[:, :, :box]
        cells = self._cells[frames]
        by_cell = (square.imag * cells.real).addcmul_(square.real, cells.imag, value=-1).view(few, -1)
        return 2.0 * (by_cell @ self._by_cell)


class _Lines:
    """The transforms along y, between the spectra of the rows of PSFs and the frequencies of a lattice.

    Every second frequency is a transform of half the length, of two halves laid on each other.
    """

    def __init__(self, pupil: Pupil, lattice: Lattice, frames: int) -> None:
        """Memory for so many frames."""
        device, grid, length = pupil.modes.device, pupil.grid, pupil.size // lattice.stride
        columns = len(range(lattice.column, pupil.size // 2 + 1, lattice.stride))
        self._lattice, self._corners, self._overlap = lattice, _corners(grid, length), grid > length
        self._ahead = torch.zeros(frames, columns, length, dtype=torch.complex64, device=device)
        self._back = torch.zeros(frames, grid, pupil.size // 2 + 1, dtype=torch.complex64, device=device)
        y = torch.arange(grid, device=device)
        angle = 2 * math.pi * lattice.row / pupil.size * torch.where(y < grid // 2, y, y - grid)
        self._ramp = torch.polar(torch.ones_like(angle), angle) if lattice.row else None

    def ahead(self, rows: Tensor) -> Tensor:
        """conj(H) (frame, x//2+1, y) on the lattice from spectra (frame, grid, x//2+1) of rows."""
        lines, whole = self._lattice.columns_of(rows).mT.conj(), self._ahead[: len(rows)]
        if self._ramp is not None:
            lines = lines * self._ramp
        if self._overlap:
            whole.zero_()
        for here, there in self._corners:
            if self._overlap:
                whole[:, :, there] += lines[:, :, here]
            else:
                whole[:, :, there] = lines[:, :, here]
        transfer: Tensor = torch.fft.ifft(whole, norm="forward")
        return transfer

    def back(self, derivative: Tensor) -> Tensor:
        """The adjoint: (frame, grid, x//2+1) from (frame, x//2+1, y) on the lattice."""
        lines, rows = torch.fft.ifft(derivative, norm="forward"), self._back[: len(derivative)]
        chosen = self._lattice.columns_of(rows).mT
        for here, there in self._corners:
            few = lines[:, :, there]
            chosen[:, :, here] = few if self._ramp is None else few * self._ramp[here]
        return rows


def _corners(grid: int, size: int) -> list[tuple[slice, slice]]:
    """Where an axis centred on index 0 lies in one of `grid` and in one of `size`, which may be down to half as long."""
    if grid == size:
        return [(slice(0, grid), slice(0, size))]
    ahead = grid // 2
    return [(slice(0, ahead), slice(0, ahead)), (slice(ahead, grid), slice(size - grid + ahead, size))]
