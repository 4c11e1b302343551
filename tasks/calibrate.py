"""calibrate: frames in linear light, without defects and cosmic rays, written once; every later step reads these."""

import numpy as np
from numpy.typing import NDArray

from storage.declared import Growing
from storage.product import Product
from tasks.numerics.frames.compact import compacted
from tasks.numerics.frames.defects import clean
from tasks.numerics.frames.mosaic import join_sites, split_sites
from tasks.products.colours import Colours, colours_of
from tasks.products.contents import Clean, Frames, Mean
from tasks.products.frames import CalibratedFrames
from tasks.products.read_ahead import read_ahead
from tasks.running.step import Work, step

BLOCK = 16
"""Frames at a time."""

Image = NDArray[np.float32]


@step(version="1")
def calibrate(work: Work, frames: Product, mean: Product) -> None:
    """Apply response, dark and flat, fill bad pixels and cosmic rays, and leave 16-bit codes of the light.

    Light of frames that came as floats or in more than 16 bits stays float32: its range has no limit.
    """
    with work.open(Frames, frames) as content, work.open(Mean, mean) as average, work.draft() as draft:
        stack = CalibratedFrames(content)
        bad, noise = average.bad[:], average.noise[:]
        colours = colours_of(stack.shape[1], content.mosaic)
        whole = content.raw.dtype.kind in "ui" and content.raw.dtype.itemsize <= 2
        codes = draft.growing("codes", stack.shape[1:], np.uint16 if whole else np.float32)
        places: list[NDArray[np.int64]] = []
        levels, steps = [], []
        for start, block in read_ahead(stack.blocks(BLOCK)):
            light, found = cleaned(block, bad, noise[start : start + len(block)], colours)
            places.append(np.argwhere(found) + np.array([start, 0, 0, 0]))
            level, size = _write(codes, light, whole)
            levels.append(level)
            steps.append(size)
            work.progress(len(codes), stack.shape[0])
        draft.fill(
            Clean(
                codes=codes,
                level=np.concatenate(levels),
                step_size=np.concatenate(steps),
                flags=stack.flags,
                noise=noise,
                bad=bad,
                spikes=np.concatenate(places).astype(np.int64),
                facts=content.facts,
                mosaic=content.mosaic,
            )
        )


def cleaned(light: Image, bad: NDArray[np.bool_], noise: Image, colours: Colours) -> tuple[Image, NDArray[np.bool_]]:
    """Frames with defects and spikes filled from pixels of the same colour, and where the spikes were."""
    period, shape = colours.period, (light.shape[-2], light.shape[-1])
    sigma = np.zeros((len(light), sum(map(len, colours.sites))), np.float32)
    for channel, own in enumerate(colours.sites):
        sigma[:, own] = np.sqrt(noise[:, channel, None])
    filled, found = clean(split_sites(light, period), split_sites(bad, period), sigma)
    return join_sites(filled, period, shape), join_sites(found, period, shape)


def _write(codes: Growing, light: Image, whole: bool) -> tuple[Image, Image]:
    """Append a block; returns level and step (frame, channel) of its codes."""
    if not whole:
        codes.append(light)
        return np.zeros(light.shape[:2], np.float32), np.ones(light.shape[:2], np.float32)
    numbers, level, step_size = compacted(light)
    codes.append(numbers)
    return level, step_size
