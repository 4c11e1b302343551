"""How far a published picture is believed: its standard error, from the open products of the solve."""

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.numerics.fourier.canvas import centred
from tasks.numerics.fourier.rings import RINGS, ring_mean, rings
from tasks.numerics.judging.blend import ring_weights
from tasks.numerics.judging.standard_error import standard_error
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil
from tasks.numerics.sky.wiener import wiener
from tasks.products.contents import Sky
from tasks.products.cutout import Cutout
from tasks.products.half_sums import read_floor, read_half_sums

Image = NDArray[np.float32]

AMPLITUDE_SHARE = 1 / 3
"""Share of the seeing's standard deviation that is left in the sky's amplitude, ring by ring: what all rings have in common
divides out, and the PSFs speak too. Six simulated captures measured 0.15 to 0.5."""
LOST_SHARE = 0.5
"""How uncertain the light is that a coder took from a ring and the amplitude correction gave back, as a share of it."""


def standard_error_of(
    sky: Sky, cutout: Cutout, aperture: Aperture, believed: int, frames: int, log_power_sigma: NDArray[np.float64]
) -> Image:
    """Standard error (y, x) of a published picture of a channel, over the whole frame.

    `believed` is the number of rings that come from the sky, 0 where the stack is published; the rest comes from the stack
    of `frames` frames, whose error is their noise over the square root of their number. `log_power_sigma` (ring,) is the
    standard deviation of the seeing's ln <|H|^2>, at `rings.RINGS`.
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
        uncertain = _amplitude_sigma(sky, cutout, aperture, log_power_sigma)
        own = standard_error(sums, floor, shown, torch.from_numpy(uncertain).float()[rings(size)])
        own = own[centred(cutout.stack.shape, size)]
        out[cutout.box] = np.sqrt(own**2 + stack_variance)
    return out


def _amplitude_sigma(
    sky: Sky, cutout: Cutout, aperture: Aperture, log_power_sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard deviation (ring,) of the logarithm of the sky's amplitude: of the seeing, and of what a coder took."""
    power = sky.frame_power[cutout.channel]
    frequency = np.arange(len(power)) / aperture.diameter_cells
    from_seeing = AMPLITUDE_SHARE * np.interp(frequency, RINGS, log_power_sigma) / 2
    if cutout.noise_curve is None:
        return np.asarray(from_seeing)
    lost = np.clip(float(sky.noise[cutout.channel]) / np.maximum(power, 1e-30), 0, 1)
    return np.asarray(np.hypot(from_seeing, LOST_SHARE * lost))


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
