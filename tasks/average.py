"""average: mean and variance of the frames as an out-of-core reduction, their noise, and the map of bad pixels."""

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray

from configs.schema import Average
from storage.product import Product
from tasks.numerics.frames.defects import bad_from_dark, bad_from_flat, bad_from_moments
from tasks.numerics.frames.noise import noise_variance, optical_cutoff
from tasks.numerics.frames.quality import fluxes
from tasks.products.contents import Frames, Mean
from tasks.products.frames import CalibratedFrames
from tasks.running.step import Work, step


@step(version="2")
def average(work: Work, frames: Product, settings: Average) -> None:
    """Reduce the whole stack chunk by chunk; find hot, dead and stuck pixels; measure each frame's light and noise."""
    with work.open(Frames, frames) as content:
        stack = CalibratedFrames(content)
        usable = stack.flags == 0
        mean, variance = _moments(stack, usable, settings.block_frames)
        bad = bad_from_moments(mean, variance, int(usable.sum()))
        for picture, find in ((content.dark, bad_from_dark), (content.flat, bad_from_flat)):
            if picture is not None:
                bad |= find(picture[:])
        flux = np.zeros((stack.shape[0], stack.shape[1]), np.float32)
        noise = np.zeros_like(flux)
        power = np.zeros((stack.shape[2], stack.shape[3] // 2 + 1))
        for start, block in stack.blocks(settings.block_frames):
            stop = start + len(block)
            flux[start:stop] = np.stack([fluxes(block[:, c : c + 1]) for c in range(block.shape[1])], axis=1)
            noise[start:stop] = noise_variance(block)
            power += _power(block[usable[start:stop]])
            work.progress(stop, stack.shape[0])
    cutoff = optical_cutoff(power / max(int(usable.sum()), 1)) or 0.0
    work.save(Mean(mean=mean, variance=variance, bad=bad, flux=flux, noise=noise, optical_cutoff=cutoff))


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
    """Sum of the power spectra (y, x//2+1) of a block, all channels together, the mean taken off."""
    luma = block.mean(axis=1)
    spectra = np.fft.rfft2(luma - luma.mean(axis=(-2, -1), keepdims=True))
    return np.asarray((np.abs(spectra) ** 2).sum(axis=0))
