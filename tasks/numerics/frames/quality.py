"""Frame selection: sharpness, flux, outliers, ranking, and the share of the sharpest frames to average."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.fourier.binning import binned
from tasks.numerics.fourier.rings import radius, ring_sums
from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.mosaic import grey
from tasks.numerics.frames.noise import noise_variance
from tasks.numerics.frames.spectra import AT_ONCE, windowed_spectra
from tasks.numerics.robust import MAD_TO_SIGMA

Image = NDArray[np.float32]
Values = NDArray[np.float32]
Flags = NDArray[np.bool_]

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
_FOLDS = 5
_SMOOTH_BINNED = float(np.sqrt(1.5**2 - 0.25)) / 2  # with the mean of 2x2 pixels (variance 1/4 px) it smooths by 1.5 px
_BEST = 4  # of the held-out frames those within SHARES[4], the sharpest 20 %, serve as the test set


def sharpness(block: Image, noise: Values | None = None, cutoff: float = 0.5) -> Values:
    """(frame,) fine power over coarse power, noise subtracted: independent of clouds and of the target's brightness.

    Fine is 0.1 to 0.6 of the cut-off, coarse below 0.1 of it without the mean. `noise` is the variance per
    pixel of each (frame, channel); measured if not given. A streak raises the value, see `ranking`.
    """
    size = (block.shape[-2], block.shape[-1])
    window = edge_taper(size)
    fine, coarse = _bands(size, cutoff)
    if noise is None:
        noise = noise_variance(block, cutoff)
    white = noise.astype(np.float64).sum(axis=1) * float((window**2).sum())
    middle = block.mean(axis=(-2, -1), keepdims=True)
    power = (np.abs(fft.rfft2((block - middle) * window)) ** 2).sum(axis=1)
    above = [(power * band).sum(axis=(1, 2)) - white * band.sum() for band in (fine, coarse)]
    least = 0.05 * white * coarse.sum() + 1e-30  # bounds the ratio of a frame without coarse power
    return np.asarray(np.maximum(above[0], 0) / np.maximum(above[1], least), dtype=np.float32)


@dataclass(frozen=True)
class MeanOf:
    """A shift-average with which frames are compared that were moved to the whole pixel."""

    picture: Image
    """(channel, y, x)."""
    count: int
    """Frames it is the mean of."""
    members: Flags
    """(frame,) which of the compared frames are among these."""
    fractions: Values
    """(frame, 2) what is left of their shifts, px."""


def coherent_sharpness(aligned: Image, mean: MeanOf, cutoff: float = 0.5) -> Values:
    """(frame,) fine over coarse power in the cross spectrum of a frame and the mean of the others.

    For faint captures: noise, streaks and cosmic rays do not correlate with the sky.
    """
    size = (aligned.shape[-2], aligned.shape[-1])
    rows = np.flatnonzero(np.abs(fft.fftfreq(size[0])) < 0.6 * cutoff)
    columns = np.flatnonzero(fft.rfftfreq(size[1]) < 0.6 * cutoff)
    part = rows[:, None], columns
    window = edge_taper(size)
    bands = np.stack([band[part].ravel() for band in _bands(size, cutoff)], axis=1).astype(np.float32)
    sky = np.conj(windowed_spectra(mean.picture, window)[..., *part])
    powers = np.zeros((len(aligned), 2))
    for start in range(0, len(aligned), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        spectra = windowed_spectra(aligned[some], window)[..., *part]
        ramps = np.stack([phase_ramp(size, -fraction)[part] for fraction in mean.fractions[some]])
        own = mean.members[some, None, None].astype(np.float32)
        cross = ((spectra * sky).sum(axis=1) * ramps).real
        others = mean.count * cross - own * (spectra.real**2 + spectra.imag**2).sum(axis=1)
        powers[some] = (others / np.maximum(mean.count - own, 1)).reshape(len(others), -1) @ bands
    fine, coarse = powers.T
    return np.asarray(np.where(coarse > 0, np.maximum(fine, 0) / np.where(coarse > 0, coarse, 1), 0), dtype=np.float32)


def _bands(size: tuple[int, int], cutoff: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fine and coarse bands as weights on the rfft2 grid: 2 where the conjugate coefficient is not stored."""
    f = radius(size)
    twice = np.where((np.arange(f.shape[1]) > 0) & (np.arange(f.shape[1]) < (size[1] + 1) // 2), 2.0, 1.0)
    fine = ((f >= 0.1 * cutoff) & (f < 0.6 * cutoff)) * twice
    coarse = ((f > 1.5 / min(size)) & (f < 0.1 * cutoff)) * twice
    return np.asarray(fine, np.float64), np.asarray(coarse, np.float64)


def black(flux: Values, share: float = 0.4) -> Flags:
    """Frames with less than `share` of the median light. Subtract the background first: it would hide that a frame is black."""
    return np.asarray(flux < share * np.median(flux))


def fingerprints(raw: NDArray[np.generic]) -> tuple[str, ...]:
    """One hash per frame of the bytes as they were recorded, before any calibration."""
    return tuple(hashlib.blake2b(np.ascontiguousarray(f).tobytes(), digest_size=16).hexdigest() for f in raw)


def saturated(block: Image, full_scale: float) -> Values:
    """(frame,) share of pixels at full scale."""
    return np.asarray((block >= full_scale).mean(axis=(1, 2, 3)), dtype=np.float32)


def residual_outlier_score(aligned: Image, mean: MeanOf) -> Values:
    """(frame,) 99.7th percentile of |frame - gain * mean - offset| smoothed by 1.5 px, over the mean's contrast.

    High for frames with the trail of an aeroplane or a satellite. Looked at are means of 2x2 pixels, which hold all that
    the smoothing leaves.
    """
    sky = _moved_means(mean.picture.mean(axis=0, dtype=np.float32), mean.fractions)
    sky -= sky.mean(axis=(1, 2), keepdims=True)
    contrast = np.sqrt((sky**2).mean(axis=(1, 2), dtype=np.float64)).astype(np.float32) + np.float32(1e-30)
    luma = _quartered(grey(aligned))
    luma -= luma.mean(axis=(1, 2), keepdims=True)
    gain = np.einsum("nyx,nyx->n", luma, sky) / (sky[0].size * contrast**2)
    luma -= gain[:, None, None] * sky
    rest = np.abs(ndimage.gaussian_filter(luma, (0, _SMOOTH_BINNED, _SMOOTH_BINNED)))
    high = np.percentile(rest.reshape(len(rest), -1), 99.7, axis=1, overwrite_input=True)
    return np.asarray(high / (contrast * np.maximum(np.abs(gain), 1e-3)), np.float32)


def _moved_means(picture: Image, fractions: Values) -> Image:
    """(frame, y, x) means of 2x2 pixels of a picture moved by fractions (frame, 2) of a pixel: its series to second order."""
    along_y, along_x = np.gradient(picture)
    terms = (picture, along_y, along_x, *np.gradient(along_y), np.gradient(along_x)[1])
    maps = _quartered(np.stack(terms))
    y, x = fractions.T
    weights = np.stack([np.ones_like(y), -y, -x, y * y / 2, y * x, x * x / 2], axis=1).astype(np.float32)
    return (weights @ maps.reshape(6, -1)).reshape(-1, *maps.shape[1:])


def _quartered(pictures: Image) -> Image:
    """Means of 2x2 pixels (..., y, x); an odd last row or column is left out."""
    ny, nx = (n // 2 * 2 for n in pictures.shape[-2:])
    return binned(pictures[..., :ny, :nx], 2)


def upper_outliers(values: Values, limit_mad: float = 8.0) -> Flags:
    """Values above the median by more than `limit_mad` sigmas, estimated from the MAD of the upper half.

    The upper half, because variable seeing makes the distribution skew without making its tail outliers.
    """
    middle = np.median(values)
    mad = MAD_TO_SIGMA * np.median(values[values >= middle] - middle)
    return np.asarray(values > middle + limit_mad * mad + 0.05 * abs(middle))


def ranking(sharp: Values, ok: Flags, scores: Values | None = None) -> NDArray[np.int64]:
    """Frame numbers, sharpest first; frames that are not ok, or upper outliers of `scores`, come last."""
    trusted = ok & ~upper_outliers(scores) if scores is not None else ok
    return np.lexsort((np.arange(len(sharp)), -sharp, ~trusted)).astype(np.int64)


@dataclass(frozen=True)
class Run:
    """Frames registered to the pixel, of whose shifts about the same fraction of a pixel is left."""

    fraction: Values
    """(2,) the mean of what is left, dy, dx px."""
    frames: Iterable[tuple[np.int64, Image]]
    """Their numbers, and the frames (y, x)."""


@dataclass(frozen=True)
class Lucky:
    """Result of `lucky_share`."""

    share: float
    """Largest of the shares whose information is within one per cent of the best."""
    shares: tuple[float, ...]
    """Shares of the ranked frames that were compared."""
    bits: tuple[float, ...]
    """Information of each share's mean about held-out frames, bits."""


def lucky_share(
    runs: Iterable[Run], order: NDArray[np.int64], size: tuple[int, int], cutoff: float = 0.5, seed: int = 0
) -> Lucky:
    """The share of the sharpest frames whose mean has the most information about sharp held-out frames.

    Five-fold cross-validation over `order` (usable frames, sharpest first). The mean of each share is compared with the
    mean of the sharpest held-out frames, ring by ring: a correlation c is worth -log2(1 - c^2) / 2 bits per coefficient,
    independent of the transfer function between the two. A stack is thus not penalised for being soft, which a filter
    reverses, but for detail below its noise and speckles. One pass over frames of `size` (y, x) in runs: one transform
    for all frames of a run that share a fold and a step of the shares.
    """
    edges = np.maximum(np.rint(np.array(SHARES) * len(order)), 1).astype(np.int64)
    # Random, because neighbours in time are correlated.
    fold = np.random.default_rng(seed).permutation(len(order)) % _FOLDS
    place = {int(k): (int(np.searchsorted(edges, rank, side="right")), fold[rank]) for rank, k in enumerate(order)}
    if not place:
        raise ValueError("0 usable frames to choose from, at least 1 is needed: check what was dropped before")
    window = edge_taper(size)
    sums = np.zeros((len(SHARES), _FOLDS, size[0], size[1] // 2 + 1), np.complex64)
    for run in runs:
        ramp = phase_ramp(size, -run.fraction)
        totals: dict[tuple[int, int], Image] = {}
        for number, frame in run.frames:
            where = place[int(number)]
            totals[where] = totals[where] + frame if where in totals else frame
        for where, total in totals.items():
            sums[where] += windowed_spectra(total, window) * ramp
    bits = np.sum([_bits(sums, size, cutoff, i) for i in range(_FOLDS)], axis=0)
    good = [s for s, b in zip(SHARES, bits, strict=True) if b >= 0.99 * bits.max()]
    return Lucky(max(good), SHARES, tuple(float(b) for b in bits))


def _bits(sums: NDArray[np.complex64], size: tuple[int, int], cutoff: float, out: int) -> NDArray[np.float64]:
    """Information (share,) of the mean of each share, without fold `out`, about the sharpest frames of that fold."""
    held = sums[: _BEST + 1, out].sum(axis=0)
    counts = ring_sums(np.ones(held.shape), size)
    used = np.arange(len(counts)) / min(size) <= cutoff
    used[:2] = False
    held_power = ring_sums(np.abs(held) ** 2, size)
    bits = np.zeros(len(sums))
    stack = np.zeros_like(held)
    for j in range(len(sums)):
        stack = stack + sums[j].sum(axis=0) - sums[j, out]
        cross = ring_sums((stack * np.conj(held)).real, size)
        c2 = np.maximum(cross, 0) ** 2 / np.maximum(held_power * ring_sums(np.abs(stack) ** 2, size), 1e-30)
        c2 = np.clip(c2 - 1 / np.maximum(counts, 1), 0, 1 - 1e-6)  # noise alone correlates by 1/count
        bits[j] = (-0.5 * counts * np.log2(1 - c2))[used].sum()
    return bits
