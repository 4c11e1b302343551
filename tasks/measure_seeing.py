"""measure_seeing: how strong the turbulence was, and the mean power it left to each spatial frequency, from the frames."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.product import Product
from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.seeing.fit import FINEST, Seeing, fit_seeing, in_other_light, travel_prior
from tasks.numerics.seeing.frame_spectra import frame_spectra
from tasks.numerics.seeing.spectral_ratios import noise_beyond
from tasks.products import contents
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Mean, Stack
from tasks.products.cutout import Cutout, cutout_of
from tasks.products.optics import cutoff_cpp, obstruction, wavelength_ratio
from tasks.products.turbulence import speckle_table
from tasks.running.step import Work, step

BLOCK = 32
"""Frames at a time."""
MIN_DENSITY = 0.5
"""Smallest share of the pixels that a colour must have for its spectra to be free of aliases where the seeing is read."""
ALIASED_CPP = 0.35
"""Finer light of pixels too wide for the telescope, cycles/px, has aliases mixed in."""
DARKEST_CUTOFF = 0.45
"""Where the noise is read at the latest, cycles/px: pixels that hold the whole spectrum have no dark corner beyond 0.5."""


@dataclass(frozen=True)
class ColourSeeing:
    """What was measured in one colour."""

    fit: Seeing
    noise: float
    """Per Fourier coefficient of the tapered frames."""
    cutoff: float
    """cycles/px."""
    frame_power: NDArray[np.float32]
    """(frame, ring)."""


@step(version="10")
def measure_seeing(work: Work, frames: Product, mean: Product, stack: Product, telescope: Telescope) -> None:
    """Fit D/r0, the wind's travel during an exposure and the alignment's jitter to ratios of spectra without the sky.

    Colours with few pixels, whose light aliases, follow from the one that is solved.
    """
    found: dict[int, ColourSeeing] = {}
    with (
        open_clean_frames(work, frames) as clean,
        work.open(Stack, stack) as opened_stack,
        work.open(Mean, mean) as average,
    ):
        colours = clean.colours
        dense = [c for c in range(len(colours)) if colours[c].sampling.density >= MIN_DENSITY]
        for channel in dense:
            cutoff = cutoff_cpp(telescope, channel, average)
            found[channel] = _measured(work, clean, cutout_of(opened_stack, channel), cutoff, telescope)
        for channel in set(range(len(colours))) - set(dense):
            first, ratio = found[colours.reference], wavelength_ratio(telescope, channel, colours.reference)
            fit = in_other_light(first.fit, ratio, speckle_table(obstruction(telescope)))
            found[channel] = replace(first, fit=fit, cutoff=cutoff_cpp(telescope, channel, average))
    work.save(_content([found[channel] for channel in sorted(found)]))


def _measured(work: Work, clean: CleanFrames, cutout: Cutout, cutoff: float, telescope: Telescope) -> ColourSeeing:
    """The seeing as the frames of one colour show it, on the camera's own grid; `cutoff` is on that of the sky."""
    scale, own_cutoff = cutout.scale, cutoff * cutout.scale
    finest = FINEST if scale == 1 else min(FINEST, ALIASED_CPP / own_cutoff)
    usable = np.flatnonzero(cutout.usable)
    exposure = _exposure_s(clean.content.facts)
    travel = travel_prior(telescope.aperture_m, exposure) if telescope.aperture_m else None
    blocks = _blocks(work, clean, usable, cutout)
    sums, power = frame_spectra(blocks, cutout.shifts / np.float32(scale), cutout.gains, len(usable), own_cutoff)
    noise = noise_beyond(sums, min(own_cutoff, DARKEST_CUTOFF), clean.colours[cutout.channel].sampling)
    if scale > 1:
        power[:, finest < RINGS] = np.nan
    fit = fit_seeing(sums, own_cutoff, speckle_table(obstruction(telescope)), noise, travel, finest)
    return ColourSeeing(fit._replace(jitter_px=fit.jitter_px * scale), noise, cutoff, power)


def _content(found: list[ColourSeeing]) -> contents.Seeing:
    fits = [each.fit for each in found]
    return contents.Seeing(
        d_over_r0=np.array([fit.d_over_r0 for fit in fits]),
        log_d_over_r0_sigma=np.array([fit.log_d_over_r0_sigma for fit in fits]),
        wind_travel_diameters=np.array([fit.wind_travel_diameters for fit in fits]),
        jitter_px=np.array([fit.jitter_px for fit in fits]),
        cutoff_cpp=np.array([each.cutoff for each in found]),
        noise=np.array([each.noise for each in found]),
        mean_power=np.stack([fit.mean_power for fit in fits]),
        log_power_sigma=np.stack([fit.log_power_sigma for fit in fits]),
        frame_power=np.stack([each.frame_power for each in found]),
    )


def _blocks(
    work: Work, clean: CleanFrames, usable: NDArray[np.int64], cutout: Cutout
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    done = 0
    size = clean.few(BLOCK)
    for start in range(0, len(usable), size):
        numbers = usable[start : start + size]
        yield numbers, cutout.alone(clean, numbers)
        done += len(numbers)
        work.progress(done, len(usable))


def _exposure_s(facts: dict[str, str]) -> float | None:
    """Exposure of a frame, where the capture tells it: what the clock alone suggests has misled more than it helped."""
    try:
        exposure = float(facts.get("exposure", "nan"))
    except ValueError:
        return None
    return exposure if 0 < exposure < 100 else None
