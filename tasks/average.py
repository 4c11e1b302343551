"""average: mean and variance of the frames as an out-of-core reduction, their noise, and the map of bad pixels."""

from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from configs.schema import Average
from storage.product import Product
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.cutoff import NOT_FOUND, estimate_cutoff
from tasks.numerics.frames.defects import bad_from_dark, bad_from_flat, bad_from_moments
from tasks.numerics.frames.mosaic import join_sites, luma, split_sites
from tasks.numerics.frames.noise import noise_variance
from tasks.numerics.frames.quality import fluxes
from tasks.numerics.frames.quantisation import code_step, rounding_noise, sky_noise_steps
from tasks.products.colours import colours_of
from tasks.products.contents import Frames, Mean
from tasks.products.frames import CalibratedFrames, frames_within
from tasks.running.step import Work, step

Image = NDArray[np.float32]


@step(version="5")
def average(work: Work, frames: Product, settings: Average) -> None:
    """Reduce the whole stack chunk by chunk; find hot, dead and stuck pixels; measure each frame's light and noise."""
    with work.open(Frames, frames) as content:
        stack = CalibratedFrames(content)
        usable = stack.flags == 0
        chunk = frames_within(stack.shape[1:], settings.block_frames)
        mean, variance = _moments(stack, usable, chunk)
        colours = colours_of(stack.shape[1], content.mosaic)
        rounding = _rounding(content, np.flatnonzero(usable), variance)
        bad = _bad(content, mean, variance, int(usable.sum()), colours.period)
        flux = np.zeros((stack.shape[0], len(colours)), np.float32)
        noise = np.zeros_like(flux)
        power = np.zeros((stack.shape[2], stack.shape[3] // 2 + 1))
        for start, block in stack.blocks(chunk):
            stop = start + len(block)
            sites = split_sites(block, colours.period)
            flux[start:stop] = np.stack([fluxes(sites[:, own]) for own in colours.sites], axis=1)
            noise[start:stop] = np.stack([noise_variance(sites[:, own]).mean(axis=1) for own in colours.sites], axis=1)
            power += _power(luma(block[usable[start:stop]], colours.period))
            work.progress(stop, stack.shape[0])
    count = int(usable.sum())
    cutoff = estimate_cutoff(power / count, stack.shape[2:], count) if colours.period == 1 else NOT_FOUND  # no aliases
    least = np.array([rounding.noise[colour.plane] for colour in colours.each])
    work.save(
        Mean(
            mean=mean,
            variance=variance,
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


def _moments(
    stack: CalibratedFrames, usable: NDArray[np.bool_], chunk: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and variance (channel, y, x) of the usable frames; Dask holds a chunk per thread in memory."""
    raw = stack.content.raw
    lazy = da.from_array(raw, chunks=(chunk, *raw.shape[1:]), lock=True)
    light = lazy.map_blocks(stack.calibrated, dtype=np.float32)
    weight = da.from_array(usable.astype(np.float64), chunks=chunk)[:, None, None, None]
    count = float(usable.sum())
    with dask.config.set(scheduler="synchronous"):
        first = (light * weight).sum(axis=0).compute() / count
        second = (weight * (light - first.astype(np.float32)) ** 2).sum(axis=0).compute() / count
    return first.astype(np.float32), second.astype(np.float32)


def _power(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum of the power spectra (y, x//2+1) of a block, all channels together, the mean taken off and tapered."""
    total = np.zeros((block.shape[-2], block.shape[-1] // 2 + 1))
    taper = edge_taper((block.shape[-2], block.shape[-1]))
    for frame in block:  # one by one, what is transformed stays in the cache
        luma = frame.mean(axis=0)
        spectrum = fft.rfft2((luma - luma.mean()) * taper)
        total += spectrum.real**2 + spectrum.imag**2
    return total
