"""The optical cut-off and the aperture of a channel, from the telescope's settings or from the frames."""

import numpy as np

from configs.schema import Telescope
from storage.errors import Hopeless
from tasks.numerics.frames.cutoff import NOT_FOUND
from tasks.numerics.optics.aperture import Aperture, diameter_cells
from tasks.products.contents import Mean, Stack

ARCSEC_RAD = 4.84813681e-6


MAX_CUTOFF, MAX_CARRIED_CUTOFF = 0.5, 0.75
"""cycles/px that pixels can hold along their rows; and where colours share one optical path, whose apertures must keep the
ratio of their wavelengths: light beyond 0.5 aliases in one of them."""


def cutoff_cpp(telescope: Telescope, channel: int, mean: Mean) -> float:
    """Highest spatial frequency of a channel, cycles per pixel; of a single colour at most what the pixels can hold.

    Without a telescope it is what the frames' mean power spectrum shows.
    """
    if telescope.aperture_m is None or telescope.scale_arcsec is None:
        return min(mean.optical_cutoff, MAX_CUTOFF)
    wavelength_m = telescope.wavelength_of(channel) * 1e-9
    limit = MAX_CUTOFF if mean.flux.shape[1] == 1 else MAX_CARRIED_CUTOFF
    return min(diameter_cells(1, telescope.aperture_m, wavelength_m, telescope.scale_arcsec * ARCSEC_RAD), limit)


def is_known(telescope: Telescope) -> bool:
    """Whether aperture and pixel scale were given."""
    return telescope.aperture_m is not None and telescope.scale_arcsec is not None


def cutoff_log_sigma(telescope: Telescope, mean: Mean, stack: Stack) -> float:
    """Standard deviation of the cut-off's logarithm; coloured noise ends where a coder will, and shows no cut-off."""
    if is_known(telescope):
        return 0.0
    found = float(mean.log_cutoff_sigma)
    return found if stack.noise_curve is None else max(found, NOT_FOUND.log_sigma)


def wavelength_ratio(telescope: Telescope, channel: int, reference: int) -> float:
    """Wavelength of the reference channel over that of another; 1 where the telescope is not known."""
    if telescope.aperture_m is None:
        return 1.0
    return telescope.wavelength_of(reference) / telescope.wavelength_of(channel)


def check_wavelengths(telescope: Telescope, channels: int) -> None:
    """Refuse wavelengths that are not the channels': one for all of them, or one for each."""
    wavelengths = telescope.wavelength_nm
    if isinstance(wavelengths, tuple) and len(wavelengths) not in (1, channels):
        raise Hopeless(
            f"telescope.wavelength_nm has {len(wavelengths)} wavelengths ({', '.join(f'{w:g}' for w in wavelengths)} nm), "
            f"the capture {channels} channel{'s' if channels > 1 else ''}; give one for all channels, or one for each"
        )


def check_scale(telescope: Telescope, scale: int) -> None:
    """Refuse a finer grid where the cut-off is not known: beyond what the pixels hold no spectrum shows it."""
    if scale > 1 and not is_known(telescope):
        raise Hopeless(
            f"sky.scale = {scale} needs the telescope: frames do not show a cut-off beyond what their pixels hold; give "
            f"telescope.aperture_m and telescope.pixel_scale_arcsec, or sky.scale = 1"
        )


def max_modes(wanted: int, aperture: Aperture) -> int:
    """Modes that an aperture can tell apart, at most those wanted: half as many as it has open cells."""
    cells = np.pi / 4 * aperture.diameter_cells**2 * (1 - aperture.obstruction**2)
    return max(3, min(wanted, int(0.5 * cells)))


def obstruction(telescope: Telescope) -> float:
    """Central obstruction; a pupil of unknown size is taken as open."""
    return telescope.obstruction if telescope.aperture_m is not None else 0.0


def aperture_of(telescope: Telescope, channel: int, mean: Mean, size: int) -> Aperture:
    """The aperture of a channel on a canvas of `size`: its diameter is no more than the pixels can hold."""
    return Aperture(cutoff_cpp(telescope, channel, mean) * size, obstruction(telescope))
