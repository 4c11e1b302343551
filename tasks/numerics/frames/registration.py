"""Registration: sub-pixel shifts of all frames by correlation with their mean, and which frames have none."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.numerics.frames.correlation import Geometry, Mean, Reference, Spectrum, banded, correlate_spectra, geometry
from tasks.numerics.frames.spectra import AT_ONCE

Image = NDArray[np.float32]
Blocks = Callable[[], Iterable[Image]]

_CANDIDATES = 8  # random frames among which the first reference is chosen
_SAMPLES = 64  # random frames whose registered mean is the reference of the first pass over all
_SAMPLE_BYTES = 64e6  # of their spectra; fewer frames are drawn where they are large
_JUDGES = 32  # frames, spread over a capture, whose shifts tell whether its mean has settled


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
    """Per pass over the frames: change in px rms of some frames' shifts where they are found in the mean of all."""

    @property
    def rounds(self) -> int:
        """Passes over the frames."""
        return len(self.residuals)


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
        shifts, peaks = correlate_spectra(spectra, energy, reference)
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
        likeness = float(np.median(correlate_spectra(spectra, energy, candidate)[1]))
        if best is None or likeness > best[0]:
            best = likeness, candidate
    assert best is not None
    return best[1]


def register(blocks: Blocks, sample: Iterable[Image], max_rounds: int = 10, settled_px: float = 0.02) -> Registration:
    """Register on the mean and average again, until the shifts of some frames change by less than `settled_px` rms.

    The first mean is that of a random `sample` of the frames, in blocks; where it is like all, one pass is enough: the
    mean of all frames then finds the same shifts.

    `blocks()` gives a fresh iterator over blocks (frame, channel, y, x) per pass; memory holds the spectra of one block,
    of the mean and of some frames.
    """
    if max_rounds < 1:
        raise ValueError(f"max_rounds is {max_rounds}, at least 1 is needed")
    reference = first_reference(sample)
    ok: NDArray[np.bool_] | None = None
    residuals: list[float] = []
    while True:
        shifts, peaks, mean, judges = _round(blocks(), reference, ok)
        ok = usable(peaks)
        if not mean.count:
            residuals.append(0.0)
            break
        reference = mean.reference()
        residuals.append(judges.change(shifts, ok, reference))
        if residuals[-1] < settled_px or len(residuals) == max_rounds:
            break
    # Around the middle of its drift a target is farthest from all borders.
    origin = np.median(shifts[ok], axis=0) if ok.any() else np.zeros(2, np.float32)
    return Registration(shifts - origin, peaks, ok, tuple(residuals))


class _Judges:
    """Spectra of some frames, spread evenly over a pass."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._every = 1
        self._kept: dict[int, tuple[Spectrum, np.float32]] = {}

    def look(self, number: int, spectrum: Spectrum, energy: np.float32) -> None:
        """Keep a frame if its turn has come; where they get too many, every second one is let go."""
        if number % self._every:
            return
        self._kept[number] = spectrum.copy(), energy
        if len(self._kept) > self._most:
            self._every *= 2
            self._kept = {k: each for k, each in self._kept.items() if k % self._every == 0}

    def change(self, shifts: NDArray[np.float32], ok: NDArray[np.bool_], reference: Reference) -> float:
        """By how much their shifts change, rms px, where they are found in another reference."""
        numbers = np.array([k for k in self._kept if ok[k]], np.int64)
        if not len(numbers):
            return 0.0
        spectra = np.stack([self._kept[int(k)][0] for k in numbers])
        energy = np.array([self._kept[int(k)][1] for k in numbers], np.float32)
        change = correlate_spectra(spectra, energy, reference)[0] - shifts[numbers]
        return float(np.sqrt((change - np.median(change, axis=0)).var(axis=0).sum()))


def _round(
    blocks: Iterable[Image], reference: Reference, trusted: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], Mean, _Judges]:
    """One pass: shifts and peaks against the reference, the mean of the trusted frames, registered, and some frames."""
    mean = Mean(reference.geometry)
    judges = _Judges(min(_JUDGES, int(_SAMPLE_BYTES // reference.spectrum.nbytes)))
    shifts: list[NDArray[np.float32]] = []
    peaks: list[NDArray[np.float32]] = []
    done = 0
    for chunk in _chunks(blocks):
        spectra, energy = banded(chunk, reference.geometry)
        moved, likeness = correlate_spectra(spectra, energy, reference)
        shifts.append(moved)
        peaks.append(likeness)
        # The first round has no earlier result: the frames up to here decide.
        good = usable(np.concatenate(peaks))[done:] if trusted is None else trusted[done : done + len(chunk)]
        mean.add(spectra[good], moved[good])
        for k in range(len(chunk)):
            judges.look(done + k, spectra[k], energy[k])
        done += len(chunk)
    return np.concatenate(shifts), np.concatenate(peaks), mean, judges


def _chunks(blocks: Iterable[Image]) -> Iterator[Image]:
    """Blocks of few frames."""
    for block in blocks:
        for start in range(0, len(block), AT_ONCE):
            yield block[start : start + AT_ONCE]
