"""How far a round's sky can be trusted: where it fails to explain its frames."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import centred
from tasks.numerics.judging.residuals import misfit, noise_line
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.numerics.sky.wiener import wiener
from tasks.products.clean_frames import Prepared
from tasks.products.cutout import Field
from tasks.products.half_sums import floor_in, sums_in
from tasks.reporting.html import Misfit

FRAMES, BLOCK, CELLS = 24, 8, 2**23
"""Frames that are compared; at most so many at a time, and fewer of so large a canvas that they hold more cells."""


def misfit_of(clean: Prepared, field: Field, sky: Any, model: str, aperture: Aperture, d_over_r0: float) -> Misfit:
    """Compare the first frames of a solve_sky product with its model of them, on the canvas of `field`."""
    chosen = sky["frames"][:FRAMES]
    psfs = np.asarray(sky[f"psfs{field.channel}"][: len(chosen)], np.float32)
    c, size = field.channel, field.size
    spectrum = wiener(sums_in(sky, c), floor_in(sky, c))
    few = int(np.clip(CELLS // size**2, 1, BLOCK))
    gain, read = noise_line(clean.take(chosen[:few])[:, c])
    inside = field.inside()
    window = centred((inside.shape[0], inside.shape[1]), size)
    variance = np.ones((size, size), np.float32)
    level = read + gain * field.stack
    variance[window] = np.maximum(level, 1e-3 * level.max())  # a line laid through the light may miss the dark

    def blocks() -> Iterator[tuple[NDArray[np.float32], torch.Tensor]]:
        for start in range(0, len(chosen), few):
            part = slice(start, start + few)
            transfer = PSF_MODELS[model].transfer_functions(torch.from_numpy(psfs[part]), aperture, size, d_over_r0)
            yield field.frames(clean, chosen[part]), transfer

    ratio = misfit(blocks(), spectrum, field.taper, variance)
    whole = np.full(field.full.shape, np.nan, np.float32)
    whole[field.box] = ratio[window]
    return Misfit(whole, len(chosen))
