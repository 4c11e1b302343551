"""What a session of known truth loses, and where: places, north, rotation, amplitudes, weights, errors its skies share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.globe.amplitudes import MIN_KNOWN, levelled
from tasks.numerics.globe.derotation import Derotated, Rings, derotated
from tasks.numerics.globe.ring_means import at_rings, ring_mean, rings_of
from tasks.numerics.globe.session import SkyPart, combined, put_together, ring_weights
from tasks.numerics.globe.spheroid import View, grid, surface_at
from tasks.numerics.judging.metrics import match

Image = NDArray[np.float32]
Values = NDArray[np.float64]
BANDS_CPP = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Edges of the bands in which errors are told, cycles/px."""
DARKENING = 0.75
"""Of the simulated globe."""


@dataclass(frozen=True)
class Truth:
    """A planet's sky at a moment."""

    picture: Image
    view: View
    rings: Rings | None = None


@dataclass(frozen=True)
class Single:
    """A capture's sky on its truth's place and scale."""

    part: SkyPart
    truth: Truth
    picture: Image
    """Registered on its truth, to a small part of a pixel, with the truth's brightness."""
    psnr_db: float
    view: View
    """The true disc in the part's own picture."""


def registered_single(part: SkyPart, truth: Truth) -> Single:
    """A part brought to the place and brightness of its truth."""
    fit = match(truth.picture, part.picture[0])
    shift = np.asarray(fit.shift, np.float32)[None]
    moved = shift_frames(part.picture[:1][None].astype(np.float32), shift)[0, 0] * fit.gain + fit.offset
    return Single(part, truth, moved, fit.psnr_db, truth.view.moved(-fit.shift[0], -fit.shift[1]))


def places(singles: Sequence[Single], found: Sequence[View]) -> dict[str, Any]:
    """Where the discs were found against where they are."""
    off = np.array([np.subtract(f.centre_px, s.view.centre_px) for f, s in zip(found, singles, strict=True)])
    return {
        "centre_between_captures_px": float(np.sqrt(((off - off.mean(0)) ** 2).sum(1).mean())),
        "centre_of_all_px": float(np.hypot(*off.mean(0))),
        "radius_off": found[0].radius_px / singles[0].view.radius_px - 1,
        "north_off_deg": float((found[0].north_deg - singles[0].view.north_deg + 180) % 360 - 180),
    }


def rotation_left(
    part: SkyPart, seen: View, wanted: View, darkening: float, around: tuple[Truth, Truth, Truth]
) -> float:
    """By how many degrees the surface of a part, brought to the view `wanted`, stands off its true place once it is registered.

    `around` are truths at -1, 0 and 1 degree. Least squares on the truth's slopes along the rotation and along both axes
    together, a smooth change of brightness over the disc taken out: neither that nor a disc that is displaced as a whole is
    rotation that is left. The limb, which cannot be turned, has no weight.
    """
    truth, rings = around[1].picture, around[1].rings
    made = derotated(part.picture[:1], seen, wanted, darkening, rings)
    fit = match(truth, _whole(made))
    on_disc = surface_at(wanted, *grid(truth.shape)).mu > 0
    weight = np.where(on_disc, made.source * made.target, 1.0)
    edge = [(n - m) // 2 for n, m in zip(weight.shape, fit.truth.shape, strict=True)]
    inner = tuple(slice(e, n - e) for e, n in zip(edge, weight.shape, strict=True))
    slope = ((around[2].picture - around[0].picture) / 2)[inner]
    y, x = (axis[inner] / max(weight.shape) for axis in np.indices(weight.shape))
    gains = [y**a * x**b for a in range(4) for b in range(4 - a)]
    terms = [slope, *(g[inner] for g in np.gradient(truth)), np.ones_like(slope), *(g * fit.truth for g in gains)]
    root = np.sqrt(weight[inner]).ravel()
    table = np.stack([t.ravel() * root for t in terms], -1).astype(np.float64)
    found = np.linalg.lstsq(table, fit.fitted.ravel() * root, rcond=None)[0]
    gain = np.average(np.tensordot(found[4:], gains, 1), weights=weight[inner] * fit.truth.clip(0))
    return float(found[0] / gain)


def brought(picture: Image, seen: View, wanted: Truth, darkening: float) -> Image:
    """(y, x) with the rotation undone, beside the disc as it is."""
    return _whole(derotated(picture[None], seen, wanted.view, darkening, wanted.rings))


def _whole(made: Derotated) -> Image:
    return np.asarray(made.target * made.turned[0] + (1 - made.target) * made.still[0], np.float32)


def costs_db(singles: Sequence[Single], found: Sequence[View], wanted: Truth, darkening: float) -> dict[str, float]:
    """PSNR of the session with one thing after the other replaced by the truth, each in addition to those before."""
    said = [s.part for s in singles]
    true = [s.view for s in singles]
    turns = [abs((view.meridian_deg - wanted.view.meridian_deg + 180) % 360 - 180) for view in true]
    nearest = int(np.argmin(turns))
    still = np.zeros((len(said), 2))

    def db(views: Sequence[View], dark: float) -> float:
        parts = [replace(p, view=view) for p, view in zip(said, views, strict=True)]
        want = replace(views[nearest], meridian_deg=wanted.view.meridian_deg, latitude_deg=wanted.view.latitude_deg)
        return match(wanted.picture, put_together(parts, still, want, dark, wanted.rings).picture[0]).psnr_db

    out = {"as it is": db(found, darkening)}
    centred = [replace(f, centre_px=t.centre_px) for f, t in zip(found, true, strict=True)]
    out["places true"] = db(centred, darkening)
    sized = [replace(view, radius_px=true[0].radius_px) for view in centred]
    out["radius true"] = db(sized, darkening)
    out["north true"] = db(true, darkening)
    out["limb darkening true"] = db(true, DARKENING)
    planes = whole_planes(singles, wanted)
    known, sigma = (np.stack([getattr(p, name)[0] for p in said]) for name in ("known", "amplitude_sigma"))
    same = levelled(planes, known, sigma)
    out["rotation undone ideally"] = match(wanted.picture, combined(same, ring_weights(same, known))).psnr_db
    scaled = with_amplitude_of(planes, wanted.picture, known)
    out["amplitudes of rings true"] = match(wanted.picture, combined(scaled, ring_weights(scaled, known))).psnr_db
    return out


def whole_planes(singles: Sequence[Single], wanted: Truth) -> Values:
    """(part, y, x) the truth at the middle with each single's error, which alone was brought there."""
    errors = [brought(s.picture - s.truth.picture, s.truth.view, wanted, 0.0) for s in singles]
    return np.stack([wanted.picture.astype(np.float64) + error for error in errors])


def with_amplitude_of(planes: Values, truth: Image, known: Values) -> Values:
    """Pictures (part, y, x) whose rings have, of what follows the truth, the share (part, step) that is known."""
    bins, true = rings_of(truth.shape), fft.rfft2(truth.astype(np.float64))
    power = ring_mean(np.abs(true) ** 2, bins)
    out = []
    for plane, share in zip(planes, at_rings(known, int(bins.max()) + 1, max(truth.shape)), strict=True):
        spectrum = fft.rfft2(plane)
        follows = ring_mean((spectrum * np.conj(true)).real, bins) / power
        told = (follows > MIN_KNOWN) & (share > MIN_KNOWN)
        out.append(
            fft.irfft2(spectrum * np.where(told, share / np.where(told, follows, 1.0), 1.0)[bins], s=truth.shape)
        )
    return np.stack(out)


def allowed(singles: Sequence[Single], wanted: Truth) -> dict[str, Any]:
    """What the errors of the single skies leave to a session: in bands, and in dB.

    Of equal captures with independent errors the mean gains 10 log10(captures) over the mean error. Errors that all share
    are not averaged away. `best_weights_db` takes from each ring the mean of least error for the covariance that the errors
    really have, which nobody knows without the truth: what lies above it no weights reach.
    """
    planes = whole_planes(singles, wanted)
    bins, truth = rings_of(wanted.picture.shape), fft.rfft2(wanted.picture.astype(np.float64))
    spectra = fft.rfft2(planes)
    twice = np.full(truth.shape, 2.0)
    twice[:, [0, -1]] = 1.0
    rings, count = int(bins.max()) + 1, len(planes)
    covariance = np.zeros((rings, count, count))
    for ring in range(1, rings):
        here = bins == ring
        error = (spectra[:, here] - truth[here]) * np.sqrt(twice[here])
        covariance[ring] = (error @ error.conj().T).real
    inner = match(
        wanted.picture, wanted.picture
    ).truth.size  # errors lie on the disc, and PSNR is that of the inner picture
    peak = float(np.ptp(wanted.picture)) ** 2 * wanted.picture.size * inner
    own = np.einsum("rkk->rk", covariance)
    alone = np.maximum(own, 1e-30)
    ridge = 1e-3 * own.mean(1)[:, None, None] * np.eye(count) + 1e-30 * np.eye(count)
    best = 1 / np.linalg.inv(covariance + ridge).sum((1, 2))

    def db(power: Values) -> float:
        return float(-10 * np.log10(power.sum() / peak))

    return {
        "mean_single_db": db(own.mean(1)),
        "independent_equal_db": db(own.mean(1) / count),
        "independent_weighted_db": db(1 / (1 / alone[1:]).sum(1)),
        "plain_mean_db": db(covariance.sum((1, 2)) / count**2),
        "best_weights_db": db(best[1:]),
        "bands": [_band(covariance, low, high, wanted.picture.shape[0], peak) for low, high in _pairs(BANDS_CPP)],
    }


def _pairs(edges: Sequence[float]) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def _band(covariance: Values, low: float, high: float, side: int, peak: float) -> dict[str, Any]:
    """Errors in a band: rms of each capture in units of the truth's range, and how far they are the same."""
    rings = np.arange(len(covariance)) / side
    total = covariance[(rings > low) & (rings <= high)].sum(0)
    spread = np.sqrt(np.maximum(np.diag(total), 1e-30))
    alike, count = total / np.outer(spread, spread), len(total)
    correlation = float((alike.sum() - count) / count / max(count - 1, 1))
    return {
        "cpp": [low, high],
        "rms": [float(f"{value:.2e}") for value in spread / np.sqrt(peak)],
        "correlation": round(correlation, 2),
        "mean_gains_db": round(float(10 * np.log10(np.diag(total).mean() / max(total.sum() / count**2, 1e-30))), 2),
    }
