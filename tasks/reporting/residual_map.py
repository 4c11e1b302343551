"""Where a round's sky fails to explain its frames: the mean squared residual over the noise, pixel by pixel."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import centred
from tasks.numerics.judging.residuals import misfit, noise_line
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.numerics.sky.wiener import wiener
from tasks.products.clean_frames import CleanFrames
from tasks.products.contents import Sky
from tasks.products.cutout import Cutout
from tasks.products.half_sums import read_floor, read_sums
from tasks.reporting.html import Misfit

FRAMES, BLOCK, CELLS = 24, 8, 2**23
"""Frames that are compared; at most so many at a time, and fewer of so large a canvas that they hold more cells."""


def residual_map(clean: CleanFrames, cutout: Cutout, sky: Sky, aperture: Aperture, d_over_r0: float) -> Misfit:
    """Compare the first frames of a solve_sky product with its model of them, on the canvas of `cutout`."""
    chosen, model = sky.frames[:FRAMES], PSF_MODELS[sky.model]
    channel, size = cutout.channel, cutout.size
    psfs = sky.psfs[channel][: len(chosen)]
    spectrum = wiener(read_sums(sky, channel), read_floor(sky, channel))
    few = int(np.clip(CELLS // size**2, 1, BLOCK))
    y, x = clean.colours[channel].sampling.offsets[0]
    period = clean.colours[channel].sampling.period
    gain, read = noise_line(clean.inside.light(chosen[:few], channel)[:, y::period, x::period])
    inside = centred(cutout.stack.shape, size)
    variance = np.ones((size, size), np.float32)
    level = read + gain * cutout.stack
    variance[inside] = np.maximum(level, 1e-3 * level.max())  # a line laid through the light may miss the dark
    if cutout.noise_curve is not None:
        variance[:] = cutout.noise_curve.min()  # of the whitened frames

    def blocks() -> Iterator[tuple[NDArray[np.float32], torch.Tensor]]:
        for start in range(0, len(chosen), few):
            part = slice(start, start + few)
            transfer = model.transfer_functions(torch.from_numpy(psfs[part]), aperture, size, d_over_r0)
            yield cutout.frames(clean, chosen[part]), transfer

    ratio = misfit(blocks(), spectrum, cutout.taper, variance, cutout.sampling)
    whole = np.full(cutout.full_stack.shape, np.nan, np.float32)
    whole[cutout.box] = ratio[inside]
    return Misfit(whole, len(chosen))
