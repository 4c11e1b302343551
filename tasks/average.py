"""average: mean and variance of the frames in one pass, their noise, and the map of bad pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.schema import Average
from storage.product import Product
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.cutoff import NOT_FOUND, estimate_cutoff
from tasks.numerics.frames.defects import bad_from_dark, bad_from_flat, bad_from_moments
from tasks.numerics.frames.moments import Moments
from tasks.numerics.frames.mosaic import grey, join_sites, luma, split_sites
from tasks.numerics.frames.noise import noise_variance
from tasks.numerics.frames.quantisation import code_step, rounding_noise, sky_noise_steps
from tasks.numerics.frames.spectra import windowed_spectra
from tasks.products.colours import colours_of
from tasks.products.contents import Frames, Mean
from tasks.products.frames import CalibratedFrames
from tasks.products.read_ahead import read_ahead
from tasks.running.step import Work, step

POWER_FRAMES = 512
"""So many frames, spread over the capture, tell the optical cut-off."""
Image = NDArray[np.float32]


@step(version="7")
def average(work: Work, frames: Product, settings: Average) -> None:
    """Read every frame once; find hot, dead and stuck pixels; measure each frame's light and noise."""
    with work.open(Frames, frames) as content:
        stack = CalibratedFrames(content)
        usable = stack.flags == 0
        count = int(usable.sum())
        colours = colours_of(stack.shape[1], content.mosaic)
        moments = Moments(stack.read(*_first(usable))[0])
        flux = np.zeros((stack.shape[0], len(colours)), np.float32)
        noise = np.zeros_like(flux)
        power = np.zeros((stack.shape[2], stack.shape[3] // 2 + 1))
        looked_at = np.flatnonzero(usable)[:: max(1, -(-count // POWER_FRAMES))]
        for start, block in read_ahead(stack.blocks(settings.block_frames)):
            stop = start + len(block)
            moments.add(block[usable[start:stop]])
            sites = split_sites(block, colours.period)
            light, white = sites.mean(axis=(2, 3)), noise_variance(sites)
            flux[start:stop] = np.stack([light[:, own].mean(axis=1) for own in colours.sites], axis=1)
            noise[start:stop] = np.stack([white[:, own].mean(axis=1) for own in colours.sites], axis=1)
            power += _power(luma(block[looked_at[(looked_at >= start) & (looked_at < stop)] - start], colours.period))
            work.progress(stop, stack.shape[0])
        rounding = _rounding(content, np.flatnonzero(usable), moments.variance)
        bad = _bad(content, moments.mean, moments.variance, count, colours.period)
    seen = len(looked_at)
    cutoff = estimate_cutoff(power / seen, stack.shape[2:], seen) if colours.period == 1 else NOT_FOUND  # no aliases
    least = np.array([rounding.noise[colour.plane] for colour in colours.each])
    work.save(
        Mean(
            mean=moments.mean,
            variance=moments.variance,
            bad=bad,
            flux=flux,
            noise=np.maximum(noise, least.astype(np.float32)),
            optical_cutoff=cutoff.cutoff_cpp,
            log_cutoff_sigma=cutoff.log_sigma,
            rounding_noise=least,
            code_step=rounding.step,
            sky_noise_steps=rounding.sky_noise_steps,
        )
    )


@dataclass(frozen=True)
class Rounding:
    """Of frames to whole codes."""

    step: int
    """Between codes; 0: floats."""
    noise: list[float]
    """Variance (channel of the raw frames,) of the light."""
    sky_noise_steps: float
    """Noise of the dark sky over one step; nan where codes are not linear or there are no steps."""


def _rounding(content: Frames, usable: NDArray[np.int64], variance: Image) -> Rounding:
    """The step of the codes in the first, middle and last usable frame, and what it does to the light."""
    frames = np.stack([content.raw[int(k)] for k in sorted({usable[0], usable[len(usable) // 2], usable[-1]})])
    step_size = code_step(frames)
    response = None if content.response is None else content.response[:]
    planes = range(frames.shape[1])
    sky = sky_noise_steps(variance, step_size) if step_size and response is None else float("nan")
    return Rounding(step_size, [rounding_noise(frames[:, plane], step_size, response) for plane in planes], sky)


def _bad(content: Frames, mean: Image, variance: Image, count: int, period: int) -> NDArray[np.bool_]:
    """Defects (channel, y, x), looked for among the pixels of one colour."""
    bad = bad_from_moments(split_sites(mean, period), split_sites(variance, period), count)
    for picture, find in ((content.dark, bad_from_dark), (content.flat, bad_from_flat)):
        if picture is not None:
            bad |= find(split_sites(picture[:], period))
    return join_sites(bad, period, (mean.shape[-2], mean.shape[-1]))


def _first(usable: NDArray[np.bool_]) -> tuple[int, int]:
    """The first usable frame, and the one behind it."""
    number = int(np.argmax(usable))
    return number, number + 1


def _power(block: Image) -> NDArray[np.float64]:
    """Sum of the power spectra (y, x//2+1) of a block, all channels together, the mean taken off and tapered."""
    total = np.zeros((block.shape[-2], block.shape[-1] // 2 + 1))
    taper = edge_taper((block.shape[-2], block.shape[-1]))
    for frame in grey(block):  # one by one, what is transformed stays in the cache
        spectrum = windowed_spectra(frame, taper)
        total += spectrum.real**2 + spectrum.imag**2
    return total
