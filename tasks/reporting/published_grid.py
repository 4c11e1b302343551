"""The grid of the published files, where it is coarser than that of the solve."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.results.published import Pictures
from tasks.numerics.finishing.scale import on_coarser_grid

Image = NDArray[np.float32]


def on_published_grid(pictures: Pictures, grid: Mapping[str, Any]) -> Pictures:
    """Pictures of the solve's grid in the pixels of the files; `grid` is the report's `sky_grid`."""
    parts, per = round(2 * grid["published_scale"]), 2 * int(grid["scale"])
    if parts == per:
        return pictures

    def coarser(picture: Image) -> Image:
        return on_coarser_grid(picture, parts, per)

    ratio = per / parts
    enhanced, errors = pictures.enhanced, pictures.standard_error
    return replace(
        pictures,
        sky=coarser(pictures.sky),
        stack=coarser(pictures.stack),
        solved=coarser(pictures.solved),
        standard_error=np.maximum(coarser(errors), errors.min()),
        scale_arcsec=None if pictures.scale_arcsec is None else pictures.scale_arcsec * ratio,
        finest_believed_cpp=pictures.finest_believed_cpp * ratio,
        enhanced=None if enhanced is None else replace(enhanced, picture=coarser(enhanced.picture)),
        cubes=tuple(
            replace(cube, files={name: coarser(frames) for name, frames in cube.files.items()})
            for cube in pictures.cubes
        ),
    )
