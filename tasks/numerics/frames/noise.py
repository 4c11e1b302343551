"""Noise of the frames, from the Fourier plane beyond the telescope's cut-off; and that cut-off, from the frames."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.fourier.rings import radius, ring_index
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.robust import mad_sigma

Image = NDArray[np.float32]

_CORNER = float(np.hypot(0.5, 0.5))  # cycles/px: the highest frequency of a square grid
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
    middle = block.mean(axis=(-2, -1), keepdims=True)
    power = np.abs(fft.rfft2((block - middle) * window)[..., corners]) ** 2
    typical = np.median(power, axis=-1) / (np.log(2) * float((window**2).sum()))
    return np.asarray(typical, dtype=np.float32)


def optical_cutoff(power: NDArray[np.floating]) -> float | None:
    """Frequency in cycles/px where the mean power |rfft2|^2 of windowed frames falls to the noise; None if it does not.

    A lower bound of the telescope's cut-off: faint targets and strong seeing hide the highest frequencies (0.2 to 0.4 is
    found of a true 0.5 at D/r0 = 8). Near the cut-off the power falls like (fc - f)^3, so the cube root of the power
    above the noise is close to a straight line, which is extrapolated to zero, at most 15 % further.
    """
    size = (power.shape[0], 2 * (power.shape[1] - 1))
    rings = _ring_medians(power, size)
    last = len(rings)
    tail = rings[int(0.93 * last) :]
    floor = float(np.median(tail))
    scatter = max(mad_sigma(tail), 0.002 * floor)
    excess = ndimage.median_filter(rings - floor, 5, mode="nearest")
    lit = np.nonzero(excess > 5 * scatter)[0]
    if floor <= 0 or lit.size == 0 or lit.max() < 8 or lit.max() > int(0.9 * last):
        return None
    end = int(lit.max())
    used = np.arange(max(int(0.8 * end), 4), end + 1)
    slope, height = np.polyfit(used, np.cbrt(np.maximum(excess[used], 0)), 1)
    crossing = -height / slope if slope < 0 else end
    return float(np.clip(crossing, end, 1.15 * end) / min(size))


def _ring_medians(power: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """Median power per ring of 1/n cycles/px: robust to streaks, column noise and a few hot coefficients."""
    n = min(size)
    ring = ring_index(size)
    off_axis = (np.abs(fft.fftfreq(size[0]))[:, None] > 0.02) & (fft.rfftfreq(size[1])[None] > 0.02)
    rings = np.full(int(_CORNER * n) - 2, np.nan)
    for k in range(len(rings)):
        members = power[(ring == k) & off_axis]
        if members.size:
            rings[k] = np.median(members)
    # The innermost rings lie entirely on the excluded axes; they certainly hold signal.
    return np.where(np.isnan(rings), np.nanmax(rings), rings)
