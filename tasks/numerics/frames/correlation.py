"""Band-passed, windowed correlation of frames with a sky: where each stands, to a fraction of a pixel."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft
from torch.nn import functional

from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.correlation_peak import near_peaks, quadric_vertices
from tasks.numerics.frames.mosaic import grey
from tasks.numerics.frames.spectra import irfft2, rfft2

Image = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

_LOWPASS = 0.10  # cycles/px of the frame, sigma of the Gaussian low-pass: finer speckles differ from frame to frame
_HIGHPASS = 1.0  # cycles per frame: removes gradients of clouds; a higher value misplaces faint targets by pixels
_MIN_OVERLAP = 0.2  # floor of the normalisation, as a fraction of its maximum, at lags with little overlap
_PEAKS = 2  # of the coarse correlation that are refined: the higher one is the shift
_MIN_BINNED = 32  # px; smaller frames are not binned


@dataclass(frozen=True)
class Geometry:
    """Arrays common to all frames of one size."""

    bins: int
    """Pixels of the frame along a side of one of the picture that is correlated: the band-pass leaves nothing finer."""
    size: tuple[int, int]
    """Height and width of the binned frames."""
    canvas: tuple[int, int]
    """The same of the zero-padded canvas, on which lags do not wrap around."""
    band: NDArray[np.float32]
    """Band-pass on the frame's rfft2 grid."""
    window: Image
    """(y, x), falls to zero at the border."""
    window_spectrum: Spectrum
    """Of the padded window."""


@dataclass(frozen=True)
class Reference:
    """A band-passed sky to correlate with, on the padded canvas of its geometry."""

    geometry: Geometry
    spectrum: Spectrum
    """Conjugate spectrum of the sky."""
    power: NDArray[np.float32]
    """(y, x) power of the sky under the frame's window at each lag, with a floor."""


def geometry(size: tuple[int, int]) -> Geometry:
    """The common arrays for frames of `size` (y, x). The canvas is twice the frame, so no lag wraps around."""
    bins = 2 if min(size) >= 2 * _MIN_BINNED else 1
    size = size[0] // bins, size[1] // bins
    fy, fx = fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None]
    f2 = (fy**2 + fx**2) / bins**2
    high = 1 - np.exp(-((fy * size[0]) ** 2 + (fx * size[1]) ** 2) / (2 * _HIGHPASS**2))
    band = (np.exp(-f2 / (2 * _LOWPASS**2)) * high).astype(np.float32)
    window = edge_taper(size)
    # Whole multiples of four, because half of the canvas is transformed too.
    rows, columns = (4 * fft.next_fast_len((n + 1) // 2, real=True) for n in size)
    spectrum = fft.rfft2(window, s=(rows, columns)).astype(np.complex64)
    return Geometry(bins, size, (rows, columns), band, window, spectrum)


def banded(block: Image, geo: Geometry) -> tuple[Spectrum, NDArray[np.float32]]:
    """Spectra of the band-passed, windowed frames on the canvas, and their energies. Channels are averaged."""
    luma = _binned(grey(block), geo)
    # A step at the border would ring in the band-pass: the frame is tapered towards its own mean first.
    middle = luma.mean(axis=(1, 2), keepdims=True)
    flat = irfft2(rfft2((luma - middle) * np.sqrt(geo.window)) * geo.band, geo.size)
    windowed = flat * geo.window
    energy = np.einsum("nyx,nyx->n", windowed, flat)
    padded = np.zeros((len(windowed), *geo.canvas), np.float32)
    padded[:, : geo.size[0], : geo.size[1]] = windowed
    return rfft2(padded), energy


def _binned(luma: Image, geo: Geometry) -> Image:
    """Frames (frame, y, x) as means of bins x bins pixels; an odd last row or column is left out."""
    if geo.bins == 1:
        return luma
    (ny, nx), b = geo.size, geo.bins
    whole = np.ascontiguousarray(luma[:, : ny * b, : nx * b], np.float32)
    return functional.avg_pool2d(torch.from_numpy(whole)[:, None], b)[:, 0].numpy()


class Mean:
    """A weighted sum of aligned frames, kept as spectra: adding a frame costs one multiplication."""

    def __init__(self, geo: Geometry) -> None:
        self.geometry = geo
        self.count = 0
        self._light = np.zeros(geo.window_spectrum.shape, np.complex64)
        self._ramps = np.zeros(geo.window_spectrum.shape, np.complex64)

    def add(self, spectra: Spectrum, shifts: NDArray[np.float32]) -> None:
        """Add frames moved by -shifts."""
        along_y, along_x = _turns(self.geometry, -shifts / self.geometry.bins)
        self._ramps += along_y.T @ along_x
        for spectrum, y, x in zip(spectra, along_y, along_x, strict=True):
            self._light += spectrum * y[:, None] * x
        self.count += len(spectra)

    def reference(self) -> Reference:
        """The mean over the frames that cover each pixel, tapering to zero where few do."""
        geo = self.geometry
        light = fft.irfft2(self._light, s=geo.canvas)
        cover = fft.irfft2(self._ramps * geo.window_spectrum, s=geo.canvas)
        sky = light / np.maximum(cover, 0.2 * max(float(cover.max()), 1e-6))
        squared = fft.rfft2(sky * sky)
        power = fft.irfft2(squared * np.conj(geo.window_spectrum), s=geo.canvas)
        floor = max(_MIN_OVERLAP * float(power.max()), 1e-30)
        return Reference(geo, np.conj(fft.rfft2(sky)), np.maximum(power, floor).astype(np.float32))


def correlate(block: Image, reference: Reference) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(shifts (frame, 2), normalised correlations (frame,)) of a block (frame, channel, y, x)."""
    return correlate_spectra(*banded(block, reference.geometry), reference)


def correlate_spectra(
    spectra: Spectrum, energy: NDArray[np.float32], reference: Reference
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same of what `banded` made of them."""
    geo = reference.geometry
    shifts = np.zeros((len(spectra), 2), np.float32)
    peaks = np.zeros(len(spectra), np.float32)
    lit = np.flatnonzero(energy > 0)
    if not len(lit):
        return shifts, peaks
    # Power at lag s belongs to the window moved by -s, so it is read backwards.
    scale = np.asarray(1 / np.sqrt(np.roll(reference.power[::-1, ::-1], 1, axis=(0, 1))), np.float32)
    cross = (spectra if len(lit) == len(spectra) else spectra[lit]) * reference.spectrum
    coarse = irfft2(_low_half(cross, geo), (geo.canvas[0] // 2, geo.canvas[1] // 2)) * scale[::2, ::2]
    near = 2 * near_peaks(coarse, _lags(geo)[::2, ::2], _PEAKS)
    found = [_refined(cross, scale, near[:, k], geo) for k in range(_PEAKS)]
    best = np.argmax([heights for _, heights in found], axis=0)
    lags, heights = _refined(cross, scale, np.stack([lags for lags, _ in found])[best, np.arange(len(lit))], geo)
    shifts[lit], peaks[lit] = lags * geo.bins, heights / np.sqrt(energy[lit])
    return shifts, peaks


def _low_half(spectra: Spectrum, geo: Geometry) -> Spectrum:
    """The lower half of the frequencies along both axes: the spectra of pictures with half the samples."""
    ny, nx = geo.canvas
    low = np.concatenate([spectra[:, : ny // 4], spectra[:, -(ny // 4) :]], axis=1)
    return low[:, :, : nx // 4 + 1]


def _lags(geo: Geometry) -> NDArray[np.bool_]:
    """Lags up to 0.85 of the frame along each axis; beyond that hardly anything overlaps."""
    near = [np.abs(fft.fftfreq(c, 1 / c)) <= 0.85 * n for c, n in zip(geo.canvas, geo.size, strict=True)]
    return np.asarray(np.logical_and.outer(near[0], near[1]), dtype=bool)


def _refined(
    cross: Spectrum, scale: Image, near: NDArray[np.float64], geo: Geometry
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(lags (frame, 2), heights) of the maxima, from 3x3 values of the correlations one px apart around `near`.

    The values come from the spectra.
    """
    ny, nx = geo.canvas
    steps = np.arange(-1, 2) / geo.bins
    along_y, along_x = (each.conj() for each in _turns(geo, near))
    about_y, about_x = (each.conj() for each in _turns(geo, np.stack([steps, steps], axis=1)))
    twice = np.where(np.arange(nx // 2 + 1) % (nx / 2) == 0, 1, 2)  # the other half-plane is not stored
    rows = along_y[:, None] * about_y
    columns = (along_x[:, None] * (about_x * twice)).swapaxes(1, 2)
    values = ((rows @ cross) @ columns).real.astype(np.float64) / (ny * nx)
    weight = _interpolated(scale, near[:, 0, None] + steps, near[:, 1, None] + steps)
    offsets, heights = quadric_vertices(values * weight)
    return near + offsets / geo.bins, heights


def _turns(geo: Geometry, moves: NDArray[np.floating]) -> tuple[Spectrum, Spectrum]:
    """Factors (move, y) and (move, x//2+1) on the canvas' spectra that shift pictures by moves (move, 2) samples."""
    frequencies = fft.fftfreq(geo.canvas[0]), fft.rfftfreq(geo.canvas[1])
    found = [
        np.exp(-2j * np.pi * np.outer(moves[:, axis], f)).astype(np.complex64) for axis, f in enumerate(frequencies)
    ]
    return found[0], found[1]


def _interpolated(surface: Image, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (n, a, b) of a periodic surface at rows (n, a) and columns (n, b), linear between samples."""
    y, x = np.floor(rows).astype(int), np.floor(columns).astype(int)
    fy, fx = (rows - y)[:, :, None], (columns - x)[:, None, :]

    def at(dy: int, dx: int) -> Image:
        return surface[((y + dy) % surface.shape[0])[:, :, None], ((x + dx) % surface.shape[1])[:, None, :]]

    top, bottom = ((1 - fx) * at(dy, 0) + fx * at(dy, 1) for dy in (0, 1))
    return np.asarray((1 - fy) * top + fy * bottom)
