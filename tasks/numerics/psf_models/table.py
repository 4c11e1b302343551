"""The table of PSF models, by the names that settings use."""

from __future__ import annotations

import functools
import operator

import torch
from torch import Tensor

from tasks.numerics.fourier.rings import frequencies
from tasks.numerics.fourier.sampling import masked
from tasks.numerics.optics.propagation import CHUNK
from tasks.numerics.psf_models import phases, pixels
from tasks.numerics.psf_models.base import PORTRAIT_SAMPLING, Batch, PsfModel, Solved
from tasks.numerics.sky.likelihood import chi2, sums
from tasks.numerics.sky.wiener import corner_noise, floor_of, ring_power, wiener

PSF_MODELS: dict[str, PsfModel] = {
    "pupil": PsfModel(
        begin=phases.begin,
        advance=phases.advance,
        finish=phases.finish,
        carried=phases.carried,
        transfer_functions=phases.transfer_functions,
        shifted=phases.shifted,
        portraits=phases.portraits,
        diffraction_portrait=phases.diffraction_portrait,
        portrait_sampling=PORTRAIT_SAMPLING,
        strengths=phases.strengths,
    ),
    "freeform": PsfModel(
        begin=pixels.begin,
        advance=pixels.advance,
        finish=pixels.finish,
        carried=pixels.carried,
        transfer_functions=pixels.transfer_functions,
        shifted=pixels.shifted,
        portraits=pixels.portraits,
        diffraction_portrait=pixels.diffraction_portrait,
        portrait_sampling=None,
        strengths=None,
    ),
}


def misfits(model: PsfModel, batch: Batch, solved: Solved) -> Tensor:
    """Residual power (frame,) of each frame over the noise, given the best sky and the solved PSFs; one is noise alone."""
    total = solved.sums if batch.others is None else solved.sums + batch.others
    size, device = batch.size, batch.spectra.device
    sky = wiener(total, floor_of(ring_power(total, batch.noise), batch.noise, size))
    noise = torch.tensor(batch.noise, device=device)
    used = frequencies(size, device) < batch.aperture.diameter_cells / size
    parts = []
    for start in range(0, len(batch.spectra), CHUNK):
        block = slice(start, start + CHUNK)
        transfer = model.transfer_functions(solved.psfs[block], batch.aperture, size, batch.d_over_r0)
        parts.append(chi2(batch.spectra[block], transfer, sky, noise, used, batch.sampling))
    return torch.cat(parts)


def noise_left(model: PsfModel, batch: Batch, solved: Solved) -> float:
    """Noise power per coefficient of frames whose PSFs are known.

    Every coefficient of a mosaic holds some light, though the noise of the batch was read where it is faintest: what the
    best sky explains of it is taken off first.
    """
    if batch.sampling.is_full:
        return batch.noise
    total = solved.sums if batch.others is None else solved.sums + batch.others
    sky = wiener(total, floor_of(ring_power(total, batch.noise), batch.noise, batch.size))
    rest = []
    for start in range(0, len(batch.spectra), CHUNK):
        block = slice(start, start + CHUNK)
        transfer = model.transfer_functions(solved.psfs[block], batch.aperture, batch.size, batch.d_over_r0)
        rest.append(batch.spectra[block] - masked(transfer * sky, batch.sampling))
    cutoff = batch.aperture.diameter_cells / batch.size
    return corner_noise(torch.cat(rest), cutoff, sampling=batch.sampling)


def carried_over(model: PsfModel, batch: Batch, psfs: Tensor) -> Solved:
    """PSFs that were solved in other light, with the sums of a batch of the same frames in this light."""
    parts = []
    for start in range(0, len(psfs), CHUNK):
        block = slice(start, start + CHUNK)
        transfer = model.transfer_functions(psfs[block], batch.aperture, batch.size, batch.d_over_r0)
        parts.append(sums(batch.spectra[block], transfer, batch.sampling))
    return Solved(psfs, functools.reduce(operator.add, parts))
