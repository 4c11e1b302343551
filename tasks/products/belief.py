"""How far a published picture is believed: its standard error, from the open products of the solve."""

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import centred
from tasks.numerics.fourier.rings import ring_mean, rings
from tasks.numerics.judging.blend import ring_weights
from tasks.numerics.judging.standard_error import standard_error
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil
from tasks.numerics.sky.wiener import wiener
from tasks.products.contents import Sky
from tasks.products.cutout import Cutout
from tasks.products.half_sums import read_floor, read_half_sums

Image = NDArray[np.float32]


def standard_error_of(sky: Sky, cutout: Cutout, aperture: Aperture, believed: int, frames: int) -> Image:
    """Standard error (y, x) of a published picture of a channel, over the whole frame.

    `believed` is the number of rings that come from the sky, 0 where the stack is published; the rest comes from the stack
    of `frames` frames, whose error is their noise over the square root of their number.
    """
    channel, size = cutout.channel, cutout.size
    inner = ring_weights(believed, rings(size).double().numpy())
    stack_variance = _pixel_noise(sky, cutout) / frames * float(np.mean((1 - inner) ** 2))
    out = np.full(cutout.full_stack.shape, np.sqrt(stack_variance), np.float32)
    if believed:
        sums, floor = read_half_sums(sky, channel), read_floor(sky, channel)
        shown = diffraction_otf(make_pupil(size, aperture, 3)).real * amplitude_gain(
            sky, channel, wiener(sums.total, floor)
        )
        white = cutout.filter(size)
        shown = shown * torch.from_numpy(inner).float() / (1.0 if white is None else torch.from_numpy(white))
        own = standard_error(sums, floor, shown)[centred(cutout.stack.shape, size)]
        out[cutout.box] = np.sqrt(own**2 + stack_variance)
    return out


def amplitude_gain(sky: Sky, channel: int, filtered: torch.Tensor) -> torch.Tensor:
    """Factor (y, x//2+1) of the amplitude correction on the Wiener-filtered sky."""
    number, corrected = rings(len(filtered)), torch.from_numpy(sky.spectrum[channel])
    before, after = (ring_mean(each.real**2 + each.imag**2, number) for each in (filtered, corrected))
    return (after / before.clamp_min(1e-30)).sqrt()[number]


def _pixel_noise(sky: Sky, cutout: Cutout) -> float:
    """Noise variance of a pixel of a frame."""
    white = cutout.filter(cutout.size)
    variance = float(sky.noise[cutout.channel]) / float((cutout.taper.astype(np.float64) ** 2).sum())
    return variance if white is None else variance * float(np.mean(1 / white.astype(np.float64) ** 2))
