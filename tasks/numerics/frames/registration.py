"""Registration: sub-pixel shifts of all frames by band-passed, windowed correlation with their mean."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.correlation_peak import near_peak, quadric_vertex

Image = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Blocks = Callable[[], Iterable[Image]]

_LOWPASS = 0.10  # cycles/px of the frame, sigma of the Gaussian low-pass: finer speckles differ from frame to frame
_HIGHPASS = 1.0  # cycles per frame: removes gradients of clouds; a higher value misplaces faint targets by pixels
_MIN_OVERLAP = 0.2  # floor of the normalisation, as a fraction of its maximum, at lags with little overlap
_CANDIDATES = 16  # random frames among which the first reference is chosen
_SAMPLES = 64  # random frames whose registered mean is the reference of the first pass over all
_SAMPLE_BYTES = 64e6  # of their spectra; fewer frames are drawn where they are large
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


@dataclass(frozen=True)
class Registration:
    """Result of `register`."""

    shifts: NDArray[np.float32]
    """(frame, 2) dy, dx px relative to their median over usable frames; a best guess for the others."""
    peaks: NDArray[np.float32]
    """(frame,) normalised correlation with the mean."""
    ok: NDArray[np.bool_]
    """(frame,) whether the frame is usable."""
    residuals: tuple[float, ...]
    """Change in px rms of the usable frames' shifts, per round after the first."""

    @property
    def rounds(self) -> int:
        """Passes over the frames."""
        return len(self.residuals) + 1


def geometry(size: tuple[int, int]) -> Geometry:
    """The common arrays for frames of `size` (y, x). The canvas is twice the frame, so no lag wraps around."""
    bins = 2 if min(size) >= 2 * _MIN_BINNED else 1
    size = size[0] // bins, size[1] // bins
    fy, fx = fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None]
    f2 = (fy**2 + fx**2) / bins**2
    high = 1 - np.exp(-((fy * size[0]) ** 2 + (fx * size[1]) ** 2) / (2 * _HIGHPASS**2))
    band = (np.exp(-f2 / (2 * _LOWPASS**2)) * high).astype(np.float32)
    window = edge_taper(size)
    canvas = (fft.next_fast_len(2 * size[0], real=True), fft.next_fast_len(2 * size[1], real=True))
    return Geometry(bins, size, canvas, band, window, fft.rfft2(window, s=canvas).astype(np.complex64))


def banded(block: Image, geo: Geometry) -> tuple[Spectrum, NDArray[np.float32]]:
    """Spectra of the band-passed, windowed frames on the canvas, and their energies. Channels are averaged."""
    luma = _binned(block.mean(axis=1, dtype=np.float32), geo)
    # A step at the border would ring in the band-pass: the frame is tapered towards its own mean first.
    middle = luma.mean(axis=(1, 2), keepdims=True)
    flat = fft.irfft2(fft.rfft2((luma - middle) * np.sqrt(geo.window)) * geo.band, s=geo.size)
    windowed = flat * geo.window
    energy = (windowed * flat).sum(axis=(1, 2))
    return fft.rfft2(windowed, s=geo.canvas), energy


def _binned(luma: Image, geo: Geometry) -> Image:
    """Frames (frame, y, x) as means of bins x bins pixels; an odd last row or column is left out."""
    if geo.bins == 1:
        return luma
    (ny, nx), b = geo.size, geo.bins
    whole = luma[:, : ny * b, : nx * b]
    rows = sum((whole[:, k::b] for k in range(1, b)), start=whole[:, ::b])
    return np.asarray(sum((rows[..., k::b] for k in range(1, b)), start=rows[..., ::b]) / b**2, np.float32)


class Mean:
    """A weighted sum of aligned frames, kept as spectra: adding a frame costs one multiplication."""

    def __init__(self, geo: Geometry) -> None:
        self.geometry = geo
        self.count = 0
        self._light = np.zeros(geo.window_spectrum.shape, np.complex64)
        self._ramps = np.zeros(geo.window_spectrum.shape, np.complex64)

    def add(self, spectra: Spectrum, shifts: NDArray[np.float32]) -> None:
        """Add frames moved by -shifts."""
        for spectrum, shift in zip(spectra, shifts, strict=True):
            back = phase_ramp(self.geometry.canvas, -shift / self.geometry.bins)
            self._light += spectrum * back
            self._ramps += back
            self.count += 1

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
    return _correlate(*banded(block, reference.geometry), reference)


def _correlate(
    spectra: Spectrum, energy: NDArray[np.float32], reference: Reference
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    geo = reference.geometry
    shifts = np.zeros((len(spectra), 2), np.float32)
    peaks = np.zeros(len(spectra), np.float32)
    allowed = _lags(geo)
    # Power at lag s belongs to the window moved by -s, so it is read backwards.
    scale = np.asarray(1 / np.sqrt(np.roll(reference.power[::-1, ::-1], 1, axis=(0, 1))), np.float32)
    for k, (spectrum, own) in enumerate(zip(spectra, energy, strict=True)):
        if not own > 0:
            continue
        cross = spectrum * reference.spectrum
        near = near_peak(fft.irfft2(cross, s=geo.canvas) * scale, allowed)
        shift, height = _refined(cross, scale, near, geo)
        shifts[k], peaks[k] = shift * geo.bins, height / np.sqrt(own)
    return shifts, peaks


def _lags(geo: Geometry) -> NDArray[np.bool_]:
    """Lags up to 0.85 of the frame along each axis; beyond that hardly anything overlaps."""
    near = [np.abs(fft.fftfreq(c, 1 / c)) <= 0.85 * n for c, n in zip(geo.canvas, geo.size, strict=True)]
    return np.asarray(np.logical_and.outer(near[0], near[1]), dtype=bool)


def _refined(
    cross: Spectrum, scale: Image, near: NDArray[np.float64], geo: Geometry
) -> tuple[NDArray[np.float64], float]:
    """(lag, height) of the maximum, from 3x3 values of the correlation computed from its spectrum one px apart around `near`."""
    ny, nx = geo.canvas
    steps = np.arange(-1, 2) / geo.bins
    rows = np.exp(2j * np.pi * np.outer(near[0] + steps, fft.fftfreq(ny))).astype(np.complex64)
    columns = np.exp(2j * np.pi * np.outer(fft.rfftfreq(nx), near[1] + steps)).astype(np.complex64)
    columns *= np.where(np.arange(nx // 2 + 1) % (nx / 2) == 0, 1, 2)[:, None]  # the other half-plane is not stored
    values = ((rows @ cross) @ columns).real.astype(np.float64) / (ny * nx)
    lags = near[:, None] + steps
    weight = ndimage.map_coordinates(scale, np.meshgrid(*lags, indexing="ij"), order=1, mode="grid-wrap")
    step, height = quadric_vertex(values * weight)
    return near + step / geo.bins, height


def usable(peaks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames whose correlation is not below median - 6 MAD - 0.02; the MAD is that of the worse half.

    In strong seeing the distribution has a long lower tail of frames that are still usable.
    """
    if peaks.size == 0:
        return np.zeros(0, bool)
    middle = np.median(peaks)
    mad = np.median(middle - peaks[peaks <= middle])
    return np.asarray((peaks >= middle - 6 * mad - 0.02) & (peaks > 0))


def sample_size(size: tuple[int, int]) -> int:
    """How many random frames of `size` (y, x) make the first reference."""
    height, width = geometry(size).window_spectrum.shape
    return int(np.clip(_SAMPLE_BYTES // (8 * height * width), _CANDIDATES, _SAMPLES))


def first_reference(sample: Iterable[Image]) -> Reference:
    """Of a random sample in blocks, the frame with the highest median correlation with others: not a black or disturbed one.

    That frame is replaced by the registered mean of the sample.
    """
    parts: list[tuple[Spectrum, NDArray[np.float32]]] = []
    geo: Geometry | None = None
    for block in sample:
        geo = geo or geometry((block.shape[-2], block.shape[-1]))
        parts.append(banded(block, geo))
    if geo is None or not sum(len(energy) for _, energy in parts):
        raise ValueError("0 frames to align, at least 1 is needed: check what was dropped before")
    spectra, energy = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    reference = _likeliest(spectra[:_CANDIDATES], energy[:_CANDIDATES], geo)
    for _ in range(2):
        shifts, peaks = _correlate(spectra, energy, reference)
        mean = Mean(geo)
        good = usable(peaks)
        mean.add(spectra[good], shifts[good])
        reference = mean.reference() if mean.count else reference
    return reference


def _likeliest(spectra: Spectrum, energy: NDArray[np.float32], geo: Geometry) -> Reference:
    best: tuple[float, Reference] | None = None
    for k in range(len(spectra)):
        mean = Mean(geo)
        mean.add(spectra[k : k + 1], np.zeros((1, 2), np.float32))
        candidate = mean.reference()
        likeness = float(np.median(_correlate(spectra, energy, candidate)[1]))
        if best is None or likeness > best[0]:
            best = likeness, candidate
    assert best is not None
    return best[1]


def register(blocks: Blocks, sample: Iterable[Image], max_rounds: int = 10, settled_px: float = 0.02) -> Registration:
    """Register on the mean and average again, until the usable frames' shifts change by less than `settled_px` rms.

    The first mean is that of a random `sample` of the frames, in blocks; where it is like all, two passes are enough.

    `blocks()` gives a fresh iterator over blocks (frame, channel, y, x) per pass; memory holds the spectra of one block
    and of the mean.
    """
    reference = first_reference(sample)
    shifts: NDArray[np.float32] | None = None
    peaks: NDArray[np.float32] | None = None
    ok: NDArray[np.bool_] | None = None
    residuals: list[float] = []
    for _ in range(max_rounds):
        before, limit = shifts, ok
        shifts, peaks, reference = _round(blocks(), reference, limit)
        ok = usable(peaks)
        if before is not None:
            both = ok & (limit if limit is not None else ok)
            change = (shifts - before)[both]
            residuals.append(float(np.sqrt((change - change.mean(axis=0)).var(axis=0).sum())) if len(change) else 0.0)
            if residuals[-1] < settled_px:
                break
    if shifts is None or peaks is None or ok is None:
        raise ValueError(f"max_rounds is {max_rounds}, at least 1 is needed")
    # Around the middle of its drift a target is farthest from all borders.
    origin = np.median(shifts[ok], axis=0) if ok.any() else np.zeros(2, np.float32)
    return Registration(shifts - origin, peaks, ok, tuple(residuals))


def _round(
    blocks: Iterable[Image], reference: Reference, trusted: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], Reference]:
    """One pass: shifts and peaks against the reference, and the mean of the trusted frames, registered."""
    mean = Mean(reference.geometry)
    shifts: list[NDArray[np.float32]] = []
    peaks: list[NDArray[np.float32]] = []
    done = 0
    for chunk in _chunks(blocks):
        spectra, energy = banded(chunk, reference.geometry)
        moved, likeness = _correlate(spectra, energy, reference)
        shifts.append(moved)
        peaks.append(likeness)
        # The first round has no earlier result: the frames up to here decide.
        good = usable(np.concatenate(peaks))[done:] if trusted is None else trusted[done : done + len(chunk)]
        mean.add(spectra[good], moved[good])
        done += len(chunk)
    following = mean.reference() if mean.count else reference
    return np.concatenate(shifts), np.concatenate(peaks), following


def _chunks(blocks: Iterable[Image], size: int = 16) -> Iterator[Image]:
    """Blocks of at most `size` frames, whose spectra fit into the cache."""
    for block in blocks:
        for start in range(0, len(block), size):
            yield block[start : start + size]
