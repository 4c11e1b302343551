"""Pictures on a finer grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import fft

Image = NDArray[np.float32]


def upscaled(picture: Image, scale: float) -> Image:
    """A picture (y, x) on pixels `scale` times finer, by a Lanczos window of three pixels; the light per area is kept."""
    if scale == 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    fine = Pillow.fromarray(np.ascontiguousarray(picture, np.float32), "F").resize(size, Pillow.Resampling.LANCZOS)
    return np.asarray(fine, np.float32)


def on_coarser_grid(pictures: Image, parts: int, per: int) -> Image:
    """Pictures (..., y, x) with `parts` pixels for `per` of theirs along both axes, of the detail that these hold.

    By the cosine transform, that is by the spectrum of the mirrored picture; lines beyond whole groups are cut off.
    """
    kept = [n // per * per for n in pictures.shape[-2:]]
    light = pictures[..., : kept[0], : kept[1]].astype(np.float64)
    rows, columns = (n // per * parts for n in kept)
    waves = fft.dctn(light, axes=(-2, -1), norm="forward")[..., :rows, :columns]
    return np.asarray(fft.idctn(waves, axes=(-2, -1), norm="forward"), np.float32)
