"""Frame selection: sharpness, flux, outliers, ranking, and the share of the sharpest frames to average."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.fourier.rings import radius, ring_sums
from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.noise import noise_variance
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


def coherent_sharpness(aligned: Image, mean: Image, count: int, cutoff: float = 0.5) -> Values:
    """(frame,) fine over coarse power in the cross spectrum of a frame and the mean of the others.

    For faint captures: noise, streaks and cosmic rays do not correlate with the sky. `mean` (channel, y, x) is
    the aligned mean of `count` frames, this one among them.
    """
    size = (aligned.shape[-2], aligned.shape[-1])
    window = edge_taper(size)
    bands = np.stack(_bands(size, cutoff)).reshape(2, -1)
    sky = _windowed(mean, window)
    powers = np.zeros((len(aligned), 2))
    for k, frame in enumerate(aligned):  # one by one, what is transformed stays in the cache
        spectrum = _windowed(frame, window)
        common = count * (spectrum * np.conj(sky)).real - (spectrum.real**2 + spectrum.imag**2)
        powers[k] = bands @ common.sum(axis=0, dtype=np.float64).reshape(-1) / max(count - 1, 1)
    fine, coarse = powers.T
    return np.asarray(np.where(coarse > 0, np.maximum(fine, 0) / np.where(coarse > 0, coarse, 1), 0), dtype=np.float32)


def _windowed(picture: Image, window: Image) -> NDArray[np.complex64]:
    """Spectrum (channel, y, x//2+1) of a picture (channel, y, x), its mean taken off, under a window."""
    spectrum: NDArray[np.complex64] = fft.rfft2((picture - picture.mean(axis=(-2, -1), keepdims=True)) * window)
    return spectrum


def _bands(size: tuple[int, int], cutoff: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fine and coarse bands as weights on the rfft2 grid: 2 where the conjugate coefficient is not stored."""
    f = radius(size)
    twice = np.where((np.arange(f.shape[1]) > 0) & (np.arange(f.shape[1]) < (size[1] + 1) // 2), 2.0, 1.0)
    fine = ((f >= 0.1 * cutoff) & (f < 0.6 * cutoff)) * twice
    coarse = ((f > 1.5 / min(size)) & (f < 0.1 * cutoff)) * twice
    return np.asarray(fine, np.float64), np.asarray(coarse, np.float64)


def fluxes(block: Image, background: float = 0.0) -> Values:
    """(frame,) mean light above the background."""
    return np.asarray(block.mean(axis=(1, 2, 3), dtype=np.float64) - background, dtype=np.float32)


def black(flux: Values, share: float = 0.4) -> Flags:
    """Frames with less than `share` of the median light. Subtract the background first: it would hide that a frame is black."""
    return np.asarray(flux < share * np.median(flux))


def fingerprints(raw: NDArray[np.generic]) -> tuple[str, ...]:
    """One hash per frame of the bytes as they were recorded, before any calibration."""
    return tuple(hashlib.blake2b(np.ascontiguousarray(f).tobytes(), digest_size=16).hexdigest() for f in raw)


def saturated(block: Image, full_scale: float) -> Values:
    """(frame,) share of pixels at full scale."""
    return np.asarray((block >= full_scale).mean(axis=(1, 2, 3)), dtype=np.float32)


def residual_outlier_score(aligned: Image, mean: Image) -> Values:
    """(frame,) 99.7th percentile of |frame - gain * mean - offset| smoothed by 1.5 px, over the mean's contrast.

    `mean` (channel, y, x) is of all frames, registered as the block is. High for frames with the trail of an
    aeroplane or a satellite. Looked at are means of 2x2 pixels, which hold all that the smoothing leaves.
    """
    sky = _quartered(mean.mean(axis=0, dtype=np.float32)).astype(np.float64)
    centred = sky - sky.mean()
    contrast = float(np.sqrt((centred**2).mean())) + 1e-30
    found = np.zeros(len(aligned), np.float32)
    for k, frame in enumerate(aligned):
        luma = _quartered(frame.mean(axis=0, dtype=np.float32)).astype(np.float64)
        gain = float((luma * centred).mean()) / contrast**2
        rest = ndimage.gaussian_filter(luma - luma.mean() - gain * centred, _SMOOTH_BINNED)
        found[k] = np.percentile(np.abs(rest), 99.7) / (contrast * max(abs(gain), 1e-3))
    return found


def _quartered(picture: Image) -> Image:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    ny, nx = (n // 2 * 2 for n in picture.shape)
    rows = picture[0:ny:2, :nx] + picture[1:ny:2, :nx]
    return np.asarray((rows[:, 0::2] + rows[:, 1::2]) / 4, np.float32)


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
class Lucky:
    """Result of `lucky_share`."""

    share: float
    """Largest of the shares whose information is within one per cent of the best."""
    shares: tuple[float, ...]
    """Shares of the ranked frames that were compared."""
    bits: tuple[float, ...]
    """Information of each share's mean about held-out frames, bits."""


def lucky_share(
    blocks: Iterable[Image], shifts: NDArray[np.float32], order: NDArray[np.int64], cutoff: float = 0.5, seed: int = 0
) -> Lucky:
    """The share of the sharpest frames whose mean has the most information about sharp held-out frames.

    Five-fold cross-validation over `order` (usable frames, sharpest first). The mean of each share is compared with the
    mean of the sharpest held-out frames, ring by ring: a correlation c is worth -log2(1 - c^2) / 2 bits per coefficient,
    independent of the transfer function between the two. A stack is thus not penalised for being soft, which a filter
    reverses, but for detail below its noise and speckles. One pass over `blocks`.
    """
    edges = np.maximum(np.rint(np.array(SHARES) * len(order)), 1).astype(np.int64)
    fold = (
        np.random.default_rng(seed).permutation(len(order)) % _FOLDS
    )  # random, because neighbours in time are correlated
    place = {int(k): (int(np.searchsorted(edges, rank, side="right")), fold[rank]) for rank, k in enumerate(order)}
    sums = np.zeros((len(SHARES), _FOLDS, 0, 0), np.complex64)
    size, window, done = (0, 0), np.zeros((0, 0), np.float32), 0
    for block in blocks:
        if not done:
            size = (block.shape[-2], block.shape[-1])
            window = edge_taper(size)
            sums = np.zeros((len(SHARES), _FOLDS, size[0], size[1] // 2 + 1), np.complex64)
        for k, frame in enumerate(block, start=done):
            if k in place:
                luma = frame.mean(axis=0)
                sums[place[k]] += fft.rfft2((luma - luma.mean()) * window) * phase_ramp(size, -shifts[k])
        done += len(block)
    if not place or not done:
        raise ValueError("0 usable frames to choose from, at least 1 is needed: check what was dropped before")
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
