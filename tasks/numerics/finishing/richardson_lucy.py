"""Richardson-Lucy deconvolution of a finished picture: only what its PSF took from it is added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.finishing.transfer import Transfer

Image = NDArray[np.float32]

PAD_PX = 32
"""Mirrored border around the picture: without it the periodic convolution would carry light to the other side."""
OFFSET_SIGMA = 3.0
"""Added to the light in units of its standard error: the ratios stay positive, and dark sky is not sharpened into grains."""
MIN_GAIN = 1e-3
"""Improvement of chi2, as a fraction, below which an iteration is the last."""


@dataclass(frozen=True)
class Deconvolved:
    """A sharpened picture and how well it explains the one it came from."""

    picture: Image
    """(y, x) nearer to what the perfect telescope would show."""
    chi2: float
    """Mean squared difference of the picture and the blurred result, over the squared standard error."""
    iterations: int


def deconvolved(picture: Image, transfer: Transfer, sigma: Image, background: float, limit: int) -> Deconvolved:
    """The picture (y, x) and the part of a positive sky that its effective PSF took from it, at most `limit` iterations.

    The picture holds a fraction of each frequency of the true light; the iterations find a positive sky that explains it,
    and the missing fraction is taken from that sky. Where the picture kept all, nothing is added, whatever the sky is. The
    iterations stop when the blurred sky explains the picture to `sigma` (y, x), its standard error, or when one hardly
    improves that: further iterations would sharpen noise.
    """
    light = _padded(picture - np.float32(background))
    shape = (light.shape[0], light.shape[1])
    blur, whole = (transfer.on(curve, shape) for curve in (transfer.effective, transfer.telescope))
    error = np.maximum(_padded(sigma), 1e-6 * float(np.ptp(picture)) + 1e-30)
    guess, chi2, done = _positive_sky(light, blur, error, limit)
    inner = (slice(PAD_PX, PAD_PX + picture.shape[0]), slice(PAD_PX, PAD_PX + picture.shape[1]))
    out = picture + _filtered(guess, np.maximum(whole - blur, 0.0))[inner]
    out = np.maximum(out, np.minimum(picture, np.float32(background)))  # nothing gets darker than black
    return Deconvolved(np.asarray(same_light(out, picture, background), np.float32), chi2, done)


def _positive_sky(light: Image, blur: NDArray[np.float32], error: Image, limit: int) -> tuple[Image, float, int]:
    """(sky (y, x) before the telescope, chi2 of the blurred sky, iterations)."""
    offset = np.float32(max(-float(light.min()), 0.0) + OFFSET_SIGMA * float(np.median(error)))
    guess = np.maximum(light, offset * np.float32(1e-3))
    model = _filtered(guess, blur)
    chi2, done = _chi2(light, model, error), 0
    while done < limit and chi2 > 1.0:
        ratio = (light + offset) / np.maximum(model + offset, 1e-3 * offset)
        better = guess * np.maximum(_filtered(ratio, blur), 0.0)
        tried = _filtered(better, blur)
        now = _chi2(light, tried, error)
        if not now < chi2 * (1 - MIN_GAIN):
            break
        guess, model, chi2, done = better, tried, now, done + 1
    return guess, chi2, done


def reblurred_chi2(result: Image, picture: Image, transfer: Transfer, sigma: Image) -> float:
    """How well a sharpened picture (y, x), blurred as the effective PSF says, explains the picture it came from.

    The result is one through the perfect telescope, so that only the rest of the effective PSF is applied.
    """
    light = _padded(result)
    rest = transfer.effective / np.maximum(transfer.telescope, 1e-6)
    rest = np.where(transfer.telescope > 1e-3, np.minimum(rest, 1.0), 0.0)
    model = _filtered(light, transfer.on(rest, (light.shape[0], light.shape[1])))
    inner = (slice(PAD_PX, PAD_PX + picture.shape[0]), slice(PAD_PX, PAD_PX + picture.shape[1]))
    return _chi2(picture, model[inner], np.maximum(sigma, 1e-6 * float(np.ptp(picture)) + 1e-30))


def shown_part(picture: Image, finished: Image, strength: float) -> Image:
    """The picture (y, x) with a fraction of its change: at strength 0 it is left bit by bit as it is."""
    if strength in (0, 1):
        return finished if strength else picture
    return np.asarray(picture + np.float32(strength) * (finished - picture), np.float32)


def same_light(result: Image, picture: Image, background: float) -> Image:
    """The result (y, x) times the factor above the background that gives it the light of the picture."""
    wanted, light = float((picture - background).sum()), float((result - background).sum())
    gain = wanted / light if light > 0 and wanted > 0 else 1.0
    return np.asarray((result - background) * gain + background, np.float32)


def _chi2(light: Image, model: Image, error: Image) -> float:
    return float(np.mean(((light - model) / error) ** 2, dtype=np.float64))


def _filtered(light: Image, transfer: NDArray[np.float32]) -> Image:
    return np.asarray(fft.irfft2(fft.rfft2(light) * transfer, s=light.shape), np.float32)


def _padded(picture: Image) -> Image:
    """Mirrored on all sides, to an even size that transforms fast."""
    sides = []
    for length in picture.shape:
        wanted = fft.next_fast_len(length + 2 * PAD_PX, real=True)
        sides.append((PAD_PX, wanted - length - PAD_PX))
    return np.pad(picture, sides, mode="reflect" if min(picture.shape) > max(map(max, sides)) else "edge")
