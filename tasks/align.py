"""align: every frame's shift against the average, which is averaged again until the shifts settle."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from configs.schema import AlignSettings
from storage.product import Product
from tasks.numerics.frames.registration import register, sample_size
from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import Shifts
from tasks.products.frames import flag
from tasks.running.step import Work, step


@step(version="6")
def align(work: Work, frames: Product, settings: AlignSettings) -> None:
    """Shifts (frame, 2) dy, dx px, zero in the middle of the drift; frames that cannot be aligned are marked."""
    with open_clean_frames(work, frames) as whole:
        clean = whole.inside
        flags = clean.flags
        usable = flags == 0
        passes = iter(range(settings.rounds))

        def blocks() -> Iterator[NDArray[np.float32]]:
            number = next(passes, settings.rounds - 1)
            done = 0
            for numbers, block in clean.chosen_lumas(np.flatnonzero(usable), settings.block_frames):
                yield block
                done += len(numbers)
                work.progress(number * usable.sum() + done, settings.rounds * int(usable.sum()))

        drawn = np.random.default_rng(0).permutation(np.flatnonzero(usable))[: sample_size(clean.shape[-2:])]
        sample = (block for _, block in clean.chosen_lumas(drawn, 1))
        found = register(blocks, sample, settings.rounds, settings.settle_px)
    flags[np.flatnonzero(usable)[~found.ok]] |= flag("unaligned")
    shifts, peaks = np.full((len(flags), 2), np.nan, np.float32), np.zeros(len(flags), np.float32)
    shifts[usable], peaks[usable] = found.shifts, found.peaks
    work.save(Shifts(shifts=shifts, peaks=peaks, flags=flags, residuals_px=np.array(found.residuals, np.float64)))
