"""What every PSF model takes, keeps and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tasks.numerics.fourier.sampling import FULL, Sampling
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.sky.likelihood import Sums

PORTRAIT_SAMPLING = 3
"""Pixels of a portrait per wavelength / D: fine enough that a peak between two pixels loses little of its height."""

Memory = dict[str, Tensor]
"""The state of a solve: named arrays that can be stored between any two steps."""
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Frames to be solved together, and what is known about them."""

    spectra: Tensor
    """(frame, y, x//2+1) complex spectra on the canvas."""
    aperture: Aperture
    """The telescope's, on the canvas."""
    d_over_r0: float
    """Strength of the seeing."""
    noise: float
    """Noise power per coefficient."""
    others: Sums | None
    """A and B of frames held fixed; None solves this batch on its own."""
    sky: Tensor
    """(y, x//2+1) the previous sky's spectrum."""
    sky_power: Tensor | None
    """(ring,) power of the sky, where an earlier round estimated it."""
    sampling: Sampling = FULL
    """The pixels that the frames have, on the canvas."""

    @property
    def size(self) -> int:
        """Side of the canvas, px."""
        return int(self.spectra.shape[-2])


@dataclass(frozen=True)
class Plan:
    """Settings of a solve."""

    modes: int
    """Zernike modes per frame."""
    steps: int
    """Gradient steps in all."""
    rate: float
    """Size of the first step, rad."""
    temperature: float
    """Factor on the noise power at the start."""
    seed: int
    """Of the starting phases."""
    first_row: int = 0
    """Row of these frames' first one in the draw of starting phases: where only a part of a batch is solved."""
    drawn_rows: int | None = None
    """Rows of that draw: the frames of the whole batch; None: these frames are the whole batch."""


@dataclass(frozen=True)
class Solved:
    """The result of a batch."""

    psfs: Tensor
    """(frame, ...) the parameters of every PSF: phases (mode,) or pixels (y, x)."""
    sums: Sums
    """A and B of these frames."""


class PsfModel(NamedTuple):
    """One row of the table of PSF models.

    `psfs` are a model's own parameters (frame, ...), `aperture` is that of a canvas of `size`.
    """

    begin: Callable[[Batch, Plan], Memory]
    """Starting values."""
    advance: Callable[[Batch, Plan, Memory, int], Memory]
    """So many steps more."""
    finish: Callable[[Batch, Plan, Memory], Solved]
    """The parameters and sums at the end."""
    carried: Callable[[Tensor, float], Tensor]
    """(psfs, wavelength ratio) to the parameters of the same PSFs in light of another wavelength; the ratio is that of the
    solved light over the other, and the other aperture has as many times more cells."""
    transfer_functions: Callable[[Tensor, Aperture, int, float], Tensor]
    """(psfs, aperture, size, d_over_r0) to transfer functions (frame, y, x//2+1) on a canvas of `size`."""
    shifted: Callable[[Tensor, tuple[float, float], Aperture, int], Tensor]
    """(psfs, (dy, dx) px, aperture, size) to the parameters of the shifted PSFs."""
    portraits: Callable[[Image, Aperture, int], Image]
    """(psfs, aperture, side) to centred pictures (frame, side, side) in units of the diffraction-limited peak: their
    maxima are Strehl ratios."""
    diffraction_portrait: Callable[[Aperture, int, int], Image]
    """(aperture, size, side) to the diffraction-limited PSF (side, side), sampled as this model's portraits are."""
    portrait_sampling: float | None
    """Pixels of a portrait per wavelength / D; None where they are the model's own pixels."""
    strengths: Callable[[Image], NDArray[np.float64]] | None
    """D/r0 (frame,) that the parameters imply; None where a model's parameters say nothing about it."""
