"""The products of a result, found through their recipes and lent open for reading."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.lineage import lineage
from storage.product import Product
from storage.store import Store
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models.base import PORTRAIT_SAMPLING, PsfModel
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.products.clean_frames import CleanFrames, clean_frames
from tasks.products.contents import Clean, Frames, Mean, Psfs, Seeing, Sky, Stack
from tasks.products.cutout import Cutout, cutout_of
from tasks.products.optics import aperture_of, cutoff_cpp

Image = NDArray[np.float32]
MAX_PSFS = 800
"""More dots would hide each other in a chart."""
WIDTH_PER_D_OVER_R0, MIN_WIDTH, MAX_WIDTH = 5, 24, 64
"""Wavelengths / D across a PSF's portrait: so many times D/r0, within limits."""


@dataclass(frozen=True)
class Round:
    """The open products of one round."""

    psfs: Psfs
    sky: Sky
    psfs_seconds: float
    sky_seconds: float


@dataclass(frozen=True)
class OpenedProducts:
    """Everything that a sky was made from, open for reading."""

    frames: Frames
    calibrated: Clean
    mean: Mean
    stack: Stack
    seeing: Seeing
    rounds: tuple[Round, ...]
    telescope: Telescope

    @property
    def channel(self) -> int:
        """The channel whose PSFs and seeing are shown: green of a colour capture."""
        return 1 if len(self.stack.stack) == 3 else 0

    @property
    def clean(self) -> CleanFrames:
        """The frames as the solver used them."""
        return clean_frames(self.calibrated)

    @property
    def model(self) -> PsfModel:
        """How the PSFs are described."""
        return PSF_MODELS[self.rounds[-1].sky.model]

    @property
    def solved(self) -> tuple[NDArray[np.int64], Image]:
        """Numbers of solved frames, luckiest first, and their PSFs' parameters: all, or every n-th of very many."""
        sky = self.rounds[-1].sky
        every = -(-len(sky.frames) // MAX_PSFS)
        return sky.frames[::every], sky.psfs[self.channel][::every]

    @property
    def cutout(self) -> Cutout:
        """The cutout of the shown channel."""
        return cutout_of(self.stack, self.channel)

    @property
    def aperture(self) -> Aperture:
        """The aperture of the shown channel on the canvas."""
        return aperture_of(self.telescope, self.channel, self.mean, self.cutout.size)

    @property
    def d_over_r0(self) -> float:
        """D/r0 of the shown channel."""
        return float(self.seeing.d_over_r0[self.channel])

    @property
    def portrait_width(self) -> int:
        """Wavelengths / D across the portrait of a PSF; even, so that its middle is a pixel."""
        return 2 * round(float(np.clip(WIDTH_PER_D_OVER_R0 * self.d_over_r0, MIN_WIDTH, MAX_WIDTH)) / 2)

    @property
    def portrait_px(self) -> int:
        """Pixels across the portrait of a PSF."""
        return PORTRAIT_SAMPLING * self.portrait_width

    @property
    def cutoff(self) -> float:
        """Optical cut-off of the shown channel, cycles per pixel."""
        return cutoff_cpp(self.telescope, self.channel, self.mean)


@contextlib.contextmanager
def open_products(store: Store, product: Product, telescope: Telescope) -> Iterator[OpenedProducts]:
    """Lend everything that a solve_sky or evaluate product was made from."""
    line = lineage(store, product)
    one = {each.step: each for each in line}
    with contextlib.ExitStack() as stack:
        rounds = []
        for psfs, sky in zip(*([p for p in line if p.step == kind.step] for kind in (Psfs, Sky)), strict=True):
            views = stack.enter_context(store.view(Psfs, psfs)), stack.enter_context(store.view(Sky, sky))
            rounds.append(Round(*views, store.seconds(psfs), store.seconds(sky)))
        yield OpenedProducts(
            stack.enter_context(store.view(Frames, one[Frames.step])),
            stack.enter_context(store.view(Clean, one[Clean.step])),
            stack.enter_context(store.view(Mean, one[Mean.step])),
            stack.enter_context(store.view(Stack, one[Stack.step])),
            stack.enter_context(store.view(Seeing, one[Seeing.step])),
            tuple(rounds),
            telescope,
        )
