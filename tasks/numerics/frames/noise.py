"""Noise of the frames, from the Fourier plane beyond the telescope's cut-off."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.fourier.rings import radius
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.spectra import AT_ONCE, windowed_spectra

Image = NDArray[np.float32]

_MARGIN = 1.03  # noise is measured beyond 1.03 x the cut-off
_MIN_SHARE = 0.02  # of all coefficients: fewer are too few for a median


def dark_corners(size: tuple[int, int], cutoff: float = 0.5) -> NDArray[np.bool_]:
    """Coefficients of the rfft2 grid beyond the cut-off, without the axes; the highest 2 % if the frame is undersampled."""
    f = radius(size)
    limit = min(cutoff * _MARGIN, float(np.quantile(f, 1 - _MIN_SHARE)))
    # The axes carry the leakage of borders and the noise of whole rows and columns.
    off_axis = (np.abs(fft.fftfreq(size[0]))[:, None] > 0.02) & (fft.rfftfreq(size[1])[None] > 0.02)
    return np.asarray((f >= limit) & off_axis & (fft.rfftfreq(size[1])[None] < 0.5))


def noise_variance(block: Image, cutoff: float = 0.5) -> NDArray[np.float32]:
    """White noise variance per pixel of each (frame, channel), photon noise included: its
    mean under the edge taper.

    One Fourier coefficient of an unnormalised FFT then holds `variance * ny * nx`. The median of the corner's power
    (an exponential distribution) is robust to leakage; it needs no pixel differences, so a sky posterised to a few
    steps, whose neighbouring pixels are equal, is measured right. Debayered or compressed frames read too low.
    """
    size = (block.shape[-2], block.shape[-1])
    window = edge_taper(size)
    corners = dark_corners(size, cutoff)
    scale = np.log(2) * float((window**2).sum())
    typical = np.zeros(block.shape[:-2], np.float32)
    for start in range(0, len(block), AT_ONCE):
        some = block[start : start + AT_ONCE]
        spectra = windowed_spectra(some, window)[..., corners]
        power = spectra.real**2 + spectra.imag**2
        typical[start : start + AT_ONCE] = np.median(power, axis=-1, overwrite_input=True) / scale
    return typical
