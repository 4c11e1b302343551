"""Image metrics: PSNR after registration, SSIM, and Fourier ring correlation."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, optimize

from tasks.numerics.fourier.rings import ring_sums
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.fourier.windows import edge_taper

Image = NDArray[np.float32]
Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """The registration of a picture on the truth, and the quality of the fit."""

    psnr_db: float
    """Peak signal-to-noise ratio of the fit."""
    shift: tuple[float, float]
    """(dy, dx) px by which the picture was shifted."""
    gain: float
    """Factor on the picture."""
    offset: float
    """Added to it."""
    fitted: Image
    """gain * shifted picture + offset, on the inner crop."""
    truth: Image
    """The inner crop of the truth."""


def match(truth: Image, picture: Image, margin: int | None = None, max_shift: int | None = None) -> Match:
    """Fit shift, gain and offset, which a blind method cannot determine, and compare inside a margin (default n/8, >= 8).

    The picture is shifted, not the truth, and by a Fourier phase: a spline would smooth its noise and so raise its score.
    """
    edge = max(8, min(truth.shape) // 8) if margin is None else margin
    reach = edge if max_shift is None else min(max_shift, edge)
    inner = (slice(edge, truth.shape[0] - edge), slice(edge, truth.shape[1] - edge))
    target = truth[inner].astype(np.float64)

    def fit(move: NDArray[np.float64]) -> tuple[float, float, float, Image]:
        moved = shift_frames(picture[None, None].astype(np.float32), np.asarray(move, np.float32)[None])[0, 0]
        return *_line(target, moved[inner]), moved[inner]

    start = _whole_shift(target, picture, edge, reach)
    found = optimize.minimize(
        lambda p: fit(start + np.clip(p, -1.5, 1.5))[2], [0.0, 0.0], method="Nelder-Mead",
        options={"initial_simplex": [[0, 0], [0.4, 0.1], [-0.1, 0.4]], "xatol": 2e-3, "maxiter": 60},
    )  # fmt: skip
    best = start + np.clip(found.x, -1.5, 1.5)
    if fit(best)[2] > fit(np.zeros(2))[2]:
        best = np.zeros(2)
    gain, offset, error, moved = fit(best)
    span = float(target.max() - target.min())
    psnr = 10 * np.log10(max(span, 1e-30) ** 2 / max(error, 1e-30))
    fitted = (gain * moved + offset).astype(np.float32)
    return Match(float(psnr), (float(best[0]), float(best[1])), gain, offset, fitted, truth[inner])


def psnr(truth: Image, picture: Image) -> float:
    """Peak signal-to-noise in dB after the fit of `match`. Not comparable between targets."""
    return match(truth, picture).psnr_db


def _line(target: NDArray[np.float64], picture: Image) -> tuple[float, float, float]:
    """(gain, offset, mean squared error) of target ~ gain * picture + offset; a negative gain is set to zero."""
    x = picture.astype(np.float64)
    x_mean, t_mean = x.mean(), target.mean()
    variance = float(((x - x_mean) ** 2).mean())
    gain = max(float(((x - x_mean) * (target - t_mean)).mean()) / variance, 0.0) if variance > 0 else 0.0
    offset = float(t_mean - gain * x_mean)
    return gain, offset, float(((gain * x + offset - target) ** 2).mean())


def _whole_shift(target: NDArray[np.float64], picture: Image, edge: int, reach: int) -> NDArray[np.float64]:
    """The whole-pixel shift of the picture with the least squared error, by normalised correlation."""
    t = target - target.mean()
    kernel = np.zeros(picture.shape)
    kernel[: t.shape[0], : t.shape[1]] = t
    ones = np.zeros(picture.shape)
    ones[: t.shape[0], : t.shape[1]] = 1
    x = picture.astype(np.float64) - picture.mean()

    def slide(values: NDArray[np.float64], shape: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(fft.irfft2(fft.rfft2(values) * np.conj(fft.rfft2(shape)), s=values.shape))

    variance = slide(x * x, ones) - slide(x, ones) ** 2 / t.size
    score = slide(x, kernel) / np.sqrt(np.maximum(variance, 1e-12 * max(float(variance.max()), 1e-30)))
    window = score[edge - reach : edge + reach + 1, edge - reach : edge + reach + 1]
    y, x_at = np.unravel_index(int(np.argmax(window)), window.shape)
    return np.array([reach - float(y), reach - float(x_at)])


def ssim(truth: Image, picture: Image, span: float | None = None) -> float:
    """Structural similarity with a Gaussian window of 1.5 px (Wang 2004), without a border of 5 px."""
    t, x = truth.astype(np.float64), picture.astype(np.float64)
    reach = float(t.max() - t.min()) if span is None else span
    c1, c2 = (0.01 * reach) ** 2, (0.03 * reach) ** 2

    def blur(a: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ndimage.gaussian_filter(a, 1.5, truncate=3.5))

    mt, mx = blur(t), blur(x)
    vt, vx, cov = blur(t * t) - mt * mt, blur(x * x) - mx * mx, blur(t * x) - mt * mx
    index = (2 * mt * mx + c1) * (2 * cov + c2) / ((mt**2 + mx**2 + c1) * (vt + vx + c2) + 1e-300)
    return float(index[5:-5, 5:-5].mean())


def fourier_ring_correlation(a: Image, b: Image) -> Curve:
    """Fourier ring correlation (ring,) of two pictures: index k is k/n cycles/px, n the shorter side."""
    size = (a.shape[0], a.shape[1])
    window = edge_taper(size) ** 2
    fa, fb = (fft.rfft2((v - v.mean()) * window) for v in (a, b))
    cross = ring_sums((fa * np.conj(fb)).real, size)
    norm = ring_sums(np.abs(fa) ** 2, size) * ring_sums(np.abs(fb) ** 2, size)
    return np.asarray(cross / np.sqrt(norm + 1e-300))


def frc_cutoff(curve: Curve, level: float = 0.5) -> float:
    """The frequency in cycles/px below which the ring correlation, smoothed over 3 rings, stays above `level`."""
    smooth = np.convolve(np.pad(curve, 1, mode="edge"), np.ones(3) / 3, "valid")
    below = np.nonzero(smooth[1:] < level)[0]
    return float((below[0] + 1) / (2 * (len(curve) - 1))) if below.size else 0.5


BANDS_CPP = (1 / 6, 1 / 3, 0.75)
"""Upper ends of the bands low, mid and high, in cycles/px; the last holds the corners of the spectrum too."""


def false_power(truth: Image, picture: Image) -> tuple[float, float, float]:
    """Power that a picture shows and the truth does not have, in three bands, as fractions of the truth's variance.

    The picture is on the truth's place and scale (`match`). Ring by ring, the part that follows the truth is taken out
    whatever its gain: a blur is not false detail, mottle, ringing and noise are.
    """
    size = (truth.shape[0], truth.shape[1])
    window = edge_taper(size)
    true, seen = (fft.rfft2((v - v.mean()) * window) for v in (truth.astype(np.float64), picture.astype(np.float64)))
    cross = ring_sums((seen * np.conj(true)).real, size)
    power, whole = ring_sums(np.abs(seen) ** 2, size), ring_sums(np.abs(true) ** 2, size)
    false = np.maximum(power - cross**2 / np.maximum(whole, 1e-300), 0.0)
    rings_cpp = np.arange(len(false)) / min(size)
    total = max(float(whole[1:].sum()), 1e-300)
    edges = (0.0, *BANDS_CPP)
    low, mid, high = (
        float(false[1:][(rings_cpp[1:] > a) & (rings_cpp[1:] <= b)].sum()) / total for a, b in pairwise(edges)
    )
    return low, mid, high


def is_nearer(picture: Image, to: Image, than: Image) -> bool:
    """Is a picture (channel, y, x) nearer to `to` than `than` is, away from the border?"""
    rows, columns = (slice(n // 8, n - n // 8) for n in picture.shape[1:])
    off, step = (float(((each - picture)[:, rows, columns] ** 2).mean()) for each in (to, than))
    return off < step
