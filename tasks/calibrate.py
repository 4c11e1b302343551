"""calibrate: frames in linear light, without defects and cosmic rays, written once; every later step reads these."""

import numpy as np
from numpy.typing import NDArray

from storage.declared import Growing
from storage.product import Product
from tasks.numerics.fourier.canvas import Box
from tasks.numerics.frames.compact import compacted
from tasks.numerics.frames.defects import clean, fill
from tasks.numerics.frames.lit_window import lit_window
from tasks.numerics.frames.mosaic import join_sites, luma, split_sites
from tasks.products.colours import Colours, colours_of
from tasks.products.contents import Clean, Frames, Mean
from tasks.products.frames import CalibratedFrames
from tasks.products.read_ahead import read_ahead
from tasks.running.step import Work, step

BLOCK = 16
"""Frames at a time."""

Image = NDArray[np.float32]


@step(version="2")
def calibrate(work: Work, frames: Product, mean: Product) -> None:
    """Apply response, dark and flat, fill bad pixels and cosmic rays, and leave 16-bit codes of the light.

    Of a target on black only the window is kept that it ever lit, with dark sky around it; outside stands the mean frame.
    Light of frames that came as floats or in more than 16 bits stays float32: its range has no limit.
    """
    with work.open(Frames, frames) as content, work.open(Mean, mean) as average, work.draft() as draft:
        stack = CalibratedFrames(content)
        noise, colours = average.noise[:], colours_of(stack.shape[1], content.mosaic)
        window, light, bad = _window(average, colours.period)
        whole = content.raw.dtype.kind in "ui" and content.raw.dtype.itemsize <= 2
        codes = draft.growing("codes", bad[:, *window].shape, np.uint16 if whole else np.float32)
        places: list[NDArray[np.int64]] = []
        levels, steps = [], []
        for start, block in read_ahead((start, block[:, :, *window]) for start, block in stack.blocks(BLOCK)):
            light_inside, found = cleaned(block, bad[:, *window], noise[start : start + len(block)], colours)
            places.append(np.argwhere(found) + np.array([start, 0, window[0].start, window[1].start]))
            level, size = _write(codes, light_inside, whole)
            levels.append(level)
            steps.append(size)
            work.progress(len(codes), stack.shape[0])
        draft.fill(
            Clean(
                codes=codes,
                window=[number for side in window for number in (side.start, side.stop)],
                level=np.concatenate(levels),
                step_size=np.concatenate(steps),
                flags=stack.flags,
                noise=noise,
                bad=bad,
                spikes=np.concatenate(places).astype(np.int64),
                facts=content.facts,
                mosaic=content.mosaic,
                beyond=None if bad[:, *window].shape == bad.shape else light,
            )
        )


def _window(average: Mean, period: int) -> tuple[Box, Image, NDArray[np.bool_]]:
    """Rows and columns that are kept; the mean frame (channel, y, x) without defects; and these."""
    bad = average.bad[:]

    def mended(picture: Image) -> Image:
        filled = fill(split_sites(picture, period)[None], split_sites(bad, period))[0]
        return join_sites(filled, period, (bad.shape[-2], bad.shape[-1]))

    light, variance = mended(average.mean[:]), mended(average.variance[:])
    grey, scatter = (luma(each, period).mean(axis=0) for each in (light, variance))
    return lit_window(grey, scatter, period), light, bad


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
