"""measure_seeing: how strong the turbulence was, and the mean power it left to each spatial frequency, from the frames."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.product import Product
from tasks.numerics.seeing.fit import Seeing, fit_seeing, travel_prior
from tasks.numerics.seeing.frame_spectra import frame_spectra
from tasks.numerics.seeing.spectral_ratios import noise_beyond
from tasks.products import contents
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Mean, Stack
from tasks.products.cutout import cutout_of
from tasks.products.optics import cutoff_cpp, obstruction
from tasks.running.step import Work, step

BLOCK = 32
"""Frames at a time."""
DARKEST_CUTOFF = 0.45
"""Where the noise is read at the latest, cycles/px: pixels that hold the whole spectrum have no dark corner beyond 0.5."""


@step(version="6")
def measure_seeing(work: Work, frames: Product, mean: Product, stack: Product, telescope: Telescope) -> None:
    """Fit D/r0, the wind's travel during an exposure and the alignment's jitter to ratios of spectra without the sky."""
    found: list[tuple[Seeing, float, float, NDArray[np.float32]]] = []
    with (
        open_clean_frames(work, frames, mean) as clean,
        work.open(Stack, stack) as stacked,
        work.open(Mean, mean) as average,
    ):
        usable = np.flatnonzero(stacked.flags[:] == 0)
        exposure = _exposure_s(clean.frames.content.facts)
        travel = travel_prior(telescope.aperture_m, exposure) if telescope.aperture_m else None
        for channel in range(clean.shape[1]):
            cutout = cutout_of(stacked, channel)
            cutoff = cutoff_cpp(telescope, channel, average)
            blocks = _blocks(work, clean, usable, channel)
            sums, power = frame_spectra(blocks, cutout.shifts, cutout.gains, len(usable), cutoff)
            noise = noise_beyond(sums, min(cutoff, DARKEST_CUTOFF))
            found.append((fit_seeing(sums, cutoff, obstruction(telescope), noise, travel), noise, cutoff, power))
    work.save(_content(found))


def _content(found: list[tuple[Seeing, float, float, NDArray[np.float32]]]) -> contents.Seeing:
    fits, noises, cutoffs, powers = zip(*found, strict=True)
    return contents.Seeing(
        d_over_r0=np.array([fit.d_over_r0 for fit in fits]),
        log_d_over_r0_sigma=np.array([fit.log_d_over_r0_sigma for fit in fits]),
        wind_travel_diameters=np.array([fit.wind_travel_diameters for fit in fits]),
        jitter_px=np.array([fit.jitter_px for fit in fits]),
        cutoff_cpp=np.array(cutoffs),
        noise=np.array(noises),
        mean_power=np.stack([fit.mean_power for fit in fits]),
        log_power_sigma=np.stack([fit.log_power_sigma for fit in fits]),
        frame_power=np.stack(powers),
    )


def _blocks(
    work: Work, clean: CleanFrames, usable: NDArray[np.int64], channel: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    done = 0
    for numbers, frames in clean.chosen_blocks(usable, BLOCK):
        yield numbers, frames[:, channel]
        done += len(numbers)
        work.progress(done, len(usable))


def _exposure_s(facts: dict[str, str]) -> float | None:
    """Exposure of a frame, where the capture tells it: what the clock alone suggests has misled more than it helped."""
    try:
        exposure = float(facts.get("exposure", "nan"))
    except ValueError:
        return None
    return exposure if 0 < exposure < 100 else None
