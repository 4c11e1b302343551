"""Frames of a mosaic: split into the sites of its cell, so that neighbours are of one colour; and without colour.

A site is one place of the cell: a mosaic of period s has s*s of them, and the site planes take the place of channels.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.fourier.sampling import Sampling

Image = NDArray[np.float32]
Kind = TypeVar("Kind", bound=np.generic)


def split_sites(picture: NDArray[Kind], period: int) -> NDArray[Kind]:
    """A picture (..., channel, y, x) as its sites (..., channel * s*s, y/s, x/s); odd sides are mirrored by a pixel."""
    if period == 1:
        return picture
    height, width = picture.shape[-2:]
    beyond = [(0, 0)] * (picture.ndim - 2) + [(0, -height % period), (0, -width % period)]
    whole = np.pad(picture, beyond, mode="reflect")
    sites = [whole[..., a::period, b::period] for a in range(period) for b in range(period)]
    planes = np.stack(sites, axis=-3)
    return planes.reshape(*picture.shape[:-3], -1, *planes.shape[-2:])


def join_sites(sites: NDArray[Kind], period: int, shape: tuple[int, int]) -> NDArray[Kind]:
    """Sites (..., channel * s*s, y/s, x/s) as the picture (..., channel, y, x) of `shape` (y, x)."""
    if period == 1:
        return sites
    planes = sites.reshape(*sites.shape[:-3], -1, period, period, *sites.shape[-2:])
    mixed = np.moveaxis(planes, (-4, -3), (-3, -1))
    joined = mixed.reshape(*mixed.shape[:-4], mixed.shape[-4] * period, mixed.shape[-2] * period)
    return joined[..., : shape[0], : shape[1]]


def on_finer_grid(picture: NDArray[Kind], scale: int) -> NDArray[Kind]:
    """A picture (..., y, x) with `scale` pixels for each of its own along both axes: itself where it is one.

    A pixel's light stands where its sample lies, at its first place, and at the others, which a mask leaves out.
    """
    return picture if scale == 1 else picture.repeat(scale, axis=-2).repeat(scale, axis=-1)


def sites_of(sampling: Sampling, plane: int, period: int) -> list[int]:
    """Numbers of the sites that a colour has in a mosaic of `period`, of frames split by `split_sites`."""
    return [plane * period**2 + y * period + x for y, x in sampling.offsets]


def grey(frames: Image) -> Image:
    """Frames (frame, y, x): the mean of the channels of (frame, channel, y, x)."""
    return frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1)


def luma(frames: Image, period: int) -> Image:
    """Frames (..., y, x) without colour: each pixel the mean of the cell that begins there, 0.5 px to the lower right."""
    if period == 1:
        return frames
    size = (1,) * (frames.ndim - 2) + (period, period)
    origin = (0,) * (frames.ndim - 2) + (-(period // 2),) * 2
    mean: Image = ndimage.uniform_filter(frames, size=size, mode="mirror", origin=origin)
    return mean
