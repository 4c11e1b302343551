"""What the telescope lets through: the cut-off and pupil of a channel, from the optics or from the frames."""

from typing import Any

import numpy as np

from configs.schema import Telescope
from storage.errors import Hopeless
from tasks.numerics.optics.aperture import Aperture, diameter_cells

ARCSEC_RAD = 4.84813681e-6


def cutoff_cpp(telescope: Telescope, channel: int, average: Any) -> float:
    """Highest spatial frequency of a channel, cycles per pixel; at most what the pixels can hold.

    Without a telescope it is the frequency beyond which the frames' mean power spectrum is flat.
    """
    if telescope.aperture_m is None or telescope.scale_arcsec is None:
        return float(average.attrs["optical_cutoff"]) or 0.5
    wavelength_m = telescope.wavelength_of(channel) * 1e-9
    return diameter_cells(1, telescope.aperture_m, wavelength_m, telescope.scale_arcsec * ARCSEC_RAD)


def check_wavelengths(telescope: Telescope, channels: int) -> None:
    """Refuse wavelengths that are not the channels': one for all of them, or one for each."""
    told = telescope.wavelength_nm
    if isinstance(told, tuple) and len(told) not in (1, channels):
        raise Hopeless(
            f"telescope.wavelength_nm has {len(told)} wavelengths ({', '.join(f'{w:g}' for w in told)} nm), the capture "
            f"{channels} channel{'s' if channels > 1 else ''}; give one for all channels, or one for each"
        )


def most_modes(wanted: int, aperture: Aperture) -> int:
    """Modes that an aperture can tell apart: half as many as it has open cells."""
    open_cells = np.pi / 4 * aperture.diameter_cells**2 * (1 - aperture.obstruction**2)
    return max(3, min(wanted, int(0.5 * open_cells)))


def obstruction(telescope: Telescope) -> float:
    """Central obstruction; a pupil of unknown size is taken as open."""
    return telescope.obstruction if telescope.aperture_m is not None else 0.0


def aperture_of(telescope: Telescope, channel: int, average: Any, size: int) -> Aperture:
    """The aperture of a channel on a canvas of `size`, its diameter no more than the pixels can hold."""
    return Aperture(min(cutoff_cpp(telescope, channel, average), 0.5) * size, obstruction(telescope))
