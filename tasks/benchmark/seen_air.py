"""The air of a simulated capture from somebody's own video of a star: a PSF in every frame."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.errors import BadCapture
from storage.results.truth import count_pictures, holds_true_psfs, read_pictures, true_psfs
from tasks.numerics.simulator.psfs import clean_psfs
from tasks.numerics.simulator.scene import SimulatedScene

Image = NDArray[np.float32]

WIDEST_PSF_PX = 256
"""Pictures of stars are cut to this width: more is their background's noise."""


def seen_air(scene: SimulatedScene, path: Path) -> tuple[SimulatedScene, Iterator[Image]]:
    """The scene with as many frames and as wide PSFs as a star's capture has, and those PSFs one by one.

    PSFs that a simulation left are taken as they are: without noise there is nothing to clean.
    """
    known = holds_true_psfs(path)
    count, side = _count_known(path, scene.n_frames) if known else count_pictures(path, scene.n_frames)
    width = min(side, WIDEST_PSF_PX) // 2 * 2
    if width < 16:
        raise BadCapture(
            f"{path}: star pictures of {side} px; at least 16 px are needed: cut the star out less tightly"
        )
    sampling = scene.psf_px / scene.aperture_cells if scene.aperture_cells else 2.0
    psfs = _known_psfs(path, count, width) if known else _star_psfs(path, count, width)
    return replace(scene, n_frames=count, psf_px=width, aperture_cells=width / sampling), psfs


def _count_known(path: Path, most: int) -> tuple[int, int]:
    with true_psfs(path) as known:
        return min(known.shape[0], most), min(known.shape[1:])


def _known_psfs(path: Path, count: int, width: int) -> Iterator[Image]:
    with true_psfs(path) as known:
        for k in range(count):
            yield _middle(known.take(range(k, k + 1))[0], width)


def _star_psfs(path: Path, count: int, width: int) -> Iterator[Image]:
    for k, picture in zip(range(count), read_pictures(path), strict=False):
        try:
            whole = clean_psfs(picture[None])[0]
        except ValueError:
            raise BadCapture(
                f"{path}: frame {k} shows no star above its border's noise; leave that frame out"
            ) from None
        yield _middle(whole, width)


def _middle(psf: Image, width: int) -> Image:
    """The middle of a PSF, of sum one; one that is no wider stays as it is, to the last bit."""
    top, left = (n // 2 - width // 2 for n in psf.shape)
    cut = psf[top : top + width, left : left + width]
    return cut if cut.shape == psf.shape else np.asarray(cut / cut.sum(), np.float32)
