"""seeing: how strong the air was, and the mean power it left to each spatial frequency, from the frames alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.product import Product
from tasks.numerics.fourier.rings import RINGS, radial_profile, radii
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.seeing.fit import fit_seeing, travel_prior
from tasks.numerics.seeing.spectral_ratios import SpectralSums, grouped, join, noise_beyond, spectral_sums
from tasks.products.clean_frames import Prepared, prepared
from tasks.products.cutout import Field, field_of
from tasks.products.optics import cutoff_cpp, obstruction
from tasks.running.step import Work, step

BLOCK = 32
FEWEST_GROUPS = 6


@step(version="5")
def seeing(work: Work, frames: Product, mean: Product, first: Product, telescope: Telescope) -> None:
    """Fit D/r0, the air's travel during an exposure and the alignment's jitter to sky-free ratios of the spectra."""
    with prepared(work, frames, mean) as clean, work.open(first) as stacked, work.open(mean) as average:
        usable = np.flatnonzero(stacked["flags"][:] == 0)
        exposure = _exposure_s(clean.stack.file)
        with work.create() as file:
            for channel in range(clean.stack.shape[1]):
                field = field_of(stacked, channel)
                cutoff = min(cutoff_cpp(telescope, channel, average), 0.5)
                sums, power = _sums(work, clean, field, usable, cutoff)
                noise = noise_beyond(sums, min(cutoff, 0.45))
                travel = travel_prior(telescope.aperture_m, exposure) if telescope.aperture_m else None
                found = fit_seeing(sums, cutoff, obstruction(telescope), noise, travel)
                group = file.create_group(f"channel{channel}")
                group.attrs["d_over_r0"] = found.d_over_r0
                group.attrs["travel"] = found.wind_travel_diameters
                group.attrs["jitter_px"] = found.jitter_px
                group.attrs["uncertainty"] = found.log_d_over_r0_sigma
                group.attrs["rings_used"] = float(found.rings_used)
                group.attrs["noise"] = noise
                group.attrs["cutoff"] = cutoff
                group.attrs["frames"] = len(usable)
                group.update({"mean_power": found.mean_power, "spread": found.log_power_sigma, "frame_power": power})


def _exposure_s(file: Any) -> float | None:
    """Exposure of a frame, where the capture tells it: what the clock alone suggests has misled more than it helped."""
    try:
        exposure = float(file.attrs.get("meta_exposure", "nan"))
    except ValueError:
        return None
    return exposure if 0 < exposure < 100 else None


def _sums(
    work: Work, clean: Prepared, field: Field, usable: NDArray[np.int64], cutoff: float
) -> tuple[SpectralSums, NDArray[np.float32]]:
    """Spectral sums over all usable frames moved into place, and the ring power of every frame (frame, ring)."""
    size = int(np.clip(len(usable) // FEWEST_GROUPS, 1, 8))
    power = np.full((clean.stack.shape[0], len(RINGS)), np.nan, np.float32)
    total: SpectralSums | None = None
    for start in range(0, len(usable), BLOCK):
        part = usable[start : start + BLOCK]
        light = clean.take(part)[:, field.channel : field.channel + 1]
        moved = shift_frames(light, -field.shifts[part])[:, 0] / field.gains[part, None, None]
        single = spectral_sums(moved, cutoff, 1)
        radius = radii((single.first.shape[1], single.width), cutoff)
        power[part] = radial_profile(single.second[:, radius <= 1.0].astype(np.float64), radius[radius <= 1.0])
        sums = grouped(single, size)
        total = sums if total is None else join([total, sums])
        work.progress(start + len(part), len(usable))
    assert total is not None
    return total, power
