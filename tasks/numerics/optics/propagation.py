"""From phases to transfer functions and from derivatives back to phases, laid out in memory as transforms are fastest.

Every transform runs along the last axis, and what has to be zero is zero from the beginning. Spectra are therefore
(frame, x//2+1, y) here: `by_columns` and `by_rows` turn those of the half-plane (frame, y, x//2+1) into them and back.
"""

from __future__ import annotations

import torch
from torch import Tensor

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
        self._half, self._half_back = self._complex(few, size // 2 + 1, size), self._complex(few, grid, size // 2 + 1)
        self._corners = _corners(grid, size)

    def _complex(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.complex64, device=self.pupil.modes.device)

    def chunks(self) -> list[slice]:
        """The frames, a few at a time."""
        return [slice(start, min(start + CHUNK, self.frames)) for start in range(0, self.frames, CHUNK)]

    def conjugate_transfer(self, frames: slice, phases: Tensor) -> Tensor:
        """Conjugate transfer functions (frame, x//2+1, y) of the phases (frame, mode) of a chunk of frames.

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
        psf, half = self._psf[:few], self._half[:few]
        for here, there in self._corners:
            torch.add(squares[:, :, here, 0], squares[:, :, here, 1], out=psf[:, :, there])
        spectra = torch.fft.rfft(psf).mT.conj()
        for here, there in self._corners:
            half[:, :, there] = spectra[:, :, here]
        transfer = torch.fft.ifft(half, norm="forward")
        self._amplitude[frames.start], self._transfer[frames.start] = amplitude, transfer
        return transfer

    def transfer_kept(self, frames: slice) -> Tensor:
        """What `conjugate_transfer` returned for these frames."""
        return self._transfer[frames.start]

    def phase_gradient(self, frames: slice, derivative: Tensor) -> Tensor:
        """Gradient by the phases (frame, mode) of a loss, from its derivative by conj(H) (frame, x//2+1, y)."""
        few, box, size = len(derivative), self.pupil.box, self.pupil.size
        columns, half = torch.fft.ifft(derivative, norm="forward").mT, self._half_back[:few]
        for here, there in self._corners:
            half[:, here] = columns[:, there]
        by_psf, amplitude = torch.fft.irfft(half, n=size, norm="forward"), self._amplitude[frames.start]
        seen = torch.empty_like(amplitude)
        for here, there in self._corners:
            torch.mul(amplitude[:, :, here], by_psf[:, :, there], out=seen[:, :, here])
        rows = torch.fft.ifft(seen, norm="forward")[:, :, :box].mT.contiguous()
        square = torch.fft.ifft(rows, norm="forward")[:, :, :box]
        cells = self._cells[frames]
        by_cell = (square.imag * cells.real).addcmul_(square.real, cells.imag, value=-1).view(few, -1)
        return 2.0 * (by_cell @ self._by_cell)


def _corners(grid: int, size: int) -> list[tuple[slice, slice]]:
    """Where an axis centred on index 0 lies in one of `grid` and in one of `size`."""
    if grid == size:
        return [(slice(0, grid), slice(0, size))]
    ahead = grid // 2
    return [(slice(0, ahead), slice(0, ahead)), (slice(ahead, grid), slice(size - grid + ahead, size))]
