"""The skies of a session as one: rotation undone, registered, each spatial frequency from those that know it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from tasks.numerics.globe.amplitudes import MIN_KNOWN, levelled
from tasks.numerics.globe.derotation import Derotated, Rings, derotated
from tasks.numerics.globe.ring_means import at_rings, ring_mean, rings_of
from tasks.numerics.globe.spheroid import View

Image = NDArray[np.float32]
Values = NDArray[np.float64]

INNER_RINGS = 3
"""Up to this ring the light is known to every part, and is averaged."""
MAX_KNOWN = 0.999
"""No part knows more of a ring's power; one that knows less than MIN_KNOWN does not enter it."""
MIN_ERROR = 0.05
"""No part's error is taken to be smaller than this share of the mean error: it is an estimate from a few coefficients."""
RINGS_OF_ERROR = 7
"""Rings over which the errors are averaged."""
REGISTRATIONS = 3
"""Passes of the registration on the mean of the others."""
MAX_MOVE_PX = 4.0
"""Farther than this no part is moved: its disc was measured to better."""
NO_WEIGHT = 1e-3
"""What a part counts where it saw nothing, relative to where it did: enough where no part did."""
SMOOTH_PX = 2.0
"""Radius over which the scatter of the parts is averaged."""


@dataclass(frozen=True)
class SkyPart:
    """One sky of a session."""

    picture: Image
    """(channel, y, x) what was published of it."""
    stack: Image
    """(channel, y, x) its shift-average."""
    error: Image
    """(channel, y, x) standard error of `picture`."""
    view: View
    """How the planet stands in it."""
    known: Values
    """(channel, ring) share of the sky's power that its own sums know, at 0 .. 0.5 cycles/px in equal steps; 0: not believed."""
    amplitude_sigma: Values
    """(channel, ring) standard deviation of the logarithm of the sky's amplitude, as its seeing tells it, at the same steps."""


@dataclass(frozen=True)
class Merged:
    """A session as one sky."""

    picture: Image
    """(channel, y, x)."""
    stack: Image
    """(channel, y, x) mean of the stacks, rotation undone."""
    error: Image
    """(channel, y, x) standard error of `picture`."""
    weights: NDArray[np.float32]
    """(part, channel, ring) with which each part entered, at rings of the frame's longer side."""
    moves_px: Values
    """(part, 2) dy, dx by which each disc stood off its measured place."""
    views: tuple[View, ...]
    """The disc of each part, registered."""


def merged(parts: Sequence[SkyPart], wanted: View, darkening: float, rings: Rings | None = None) -> Merged:
    """The parts brought to the view `wanted` and put together, each ring of spatial frequency by what is known of it."""
    standing, moves = registered(parts, wanted, darkening, rings)
    return put_together(standing, moves, wanted, darkening, rings)


def put_together(
    parts: Sequence[SkyPart], moves: Values, wanted: View, darkening: float, rings: Rings | None = None
) -> Merged:
    """The same of parts that are registered, and were moved so far."""
    brought = [_brought(part, wanted, darkening, rings) for part in parts]
    light = [float(each.filled.mean()) for each in brought]
    scales = np.median(light) / np.maximum(light, 1e-30)
    curves_of_parts = [part.known for part in parts], [part.amplitude_sigma for part in parts]
    pictures, errors, weights = [], [], []
    for channel in range(len(parts[0].picture)):
        planes = filled([each.picture(channel) for each in brought], scales, [_belief(p, channel) for p in parts])
        known, sigma = (np.stack([each[channel] for each in curves]) for curves in curves_of_parts)
        planes = levelled(planes, known, sigma)
        share = ring_weights(planes, known)
        picture = combined(planes, share)
        pictures.append(picture)
        own = np.stack([s * each.error[channel] for s, each in zip(scales, brought, strict=True)])
        errors.append(standard_error(planes, picture, own))
        weights.append(share)
    stack = np.mean([s * each.stack for s, each in zip(scales, brought, strict=True)], axis=0)
    return Merged(
        np.stack(pictures).astype(np.float32), stack.astype(np.float32), np.stack(errors).astype(np.float32),
        np.stack(weights, axis=1).astype(np.float32), moves, tuple(part.view for part in parts),
    )  # fmt: skip


@dataclass(frozen=True)
class Plane:
    """One channel of a part in the common view."""

    turned: Values
    still: Values
    source: Values
    target: Values


@dataclass(frozen=True)
class _Brought:
    """A part in the common view."""

    sky: Derotated
    stack: Image
    error: Image

    @property
    def filled(self) -> Image:
        """(channel, y, x) surface where it is seen, everything else as a whole."""
        return np.asarray(self.sky.target * self.sky.turned + (1 - self.sky.target) * self.sky.still)

    def picture(self, channel: int) -> Plane:
        """One channel."""
        kinds = (self.sky.turned[channel], self.sky.still[channel], self.sky.source, self.sky.target)
        return Plane(*(each.astype(np.float64) for each in kinds))


def _brought(part: SkyPart, wanted: View, darkening: float, rings: Rings | None) -> _Brought:
    sky = derotated(part.picture, part.view, wanted, darkening, rings)
    stack, error = (
        derotated(each, part.view, wanted, d, rings) for each, d in ((part.stack, darkening), (part.error, 0.0))
    )
    shown = sky.target * sky.source
    return _Brought(sky, shown * stack.turned + (1 - shown) * stack.still, np.maximum(error.turned, part.error.min()))


def registered(
    parts: Sequence[SkyPart], wanted: View, darkening: float, rings: Rings | None
) -> tuple[list[SkyPart], Values]:
    """The parts with their discs where the mean of all has it: limb and surface are compared, rotation undone."""
    moves = np.zeros((len(parts), 2))
    for _ in range(REGISTRATIONS if len(parts) > 1 else 0):
        brought = [
            derotated(p.picture.mean(0, keepdims=True), p.view.moved(*m), wanted, darkening, rings)
            for p, m in zip(parts, moves, strict=True)
        ]
        pictures = [(b.target * b.turned + (1 - b.target) * b.still)[0].astype(np.float64) for b in brought]
        known = [1 - b.target * (1 - b.source) for b in brought]
        steps = _steps(np.stack(pictures), np.stack(known).astype(np.float64))
        turned = [_in_part(step, part.view, wanted) for step, part in zip(steps, parts, strict=True)]
        moves = np.clip(moves + np.array(turned), -MAX_MOVE_PX, MAX_MOVE_PX)
        moves -= moves.mean(axis=0)
    return [replace(p, view=p.view.moved(*m)) for p, m in zip(parts, moves, strict=True)], moves


def _steps(pictures: Values, known: Values) -> list[tuple[float, float]]:
    """By how much each picture (part, y, x) stands off the mean of the others."""
    rest = (known * pictures).sum(0) - known * pictures
    others = np.asarray(rest / np.maximum(known.sum(0) - known, 1e-9), np.float64)
    return [_offset(pictures[k], others[k], known[k]) for k in range(len(pictures))]


def _offset(picture: Values, reference: Values, weight: Values) -> tuple[float, float]:
    """By how many pixels (dy, dx) a picture stands off its reference: least squares on the reference's slope, with a gain."""
    smooth = [ndimage.gaussian_filter(each, 1.0) for each in (picture, reference)]
    slope = np.gradient(smooth[1])
    terms = np.stack([-slope[0], -slope[1], smooth[1], np.ones_like(smooth[1])], -1).reshape(-1, 4)
    root = np.sqrt(weight).ravel()
    found = np.linalg.lstsq(terms * root[:, None], smooth[0].ravel() * root, rcond=None)[0]
    gain = found[2] if found[2] > 0 else 1.0
    return float(np.clip(found[0] / gain, -1, 1)), float(np.clip(found[1] / gain, -1, 1))


def _in_part(step: tuple[float, float], seen: View, wanted: View) -> tuple[float, float]:
    """A step in the common picture as one in a part's own, whose field is turned and scaled."""
    angle, scale = np.radians(seen.north_deg - wanted.north_deg), seen.radius_px / wanted.radius_px
    dy, dx = step
    return float(scale * (dy * np.cos(angle) - dx * np.sin(angle))), float(
        scale * (dx * np.cos(angle) + dy * np.sin(angle))
    )


def _belief(part: SkyPart, channel: int) -> float:
    """One over the mean squared standard error."""
    return 1 / max(float(np.mean(part.error[channel].astype(np.float64) ** 2)), 1e-30)


def filled(planes: Sequence[Plane], scales: Values, beliefs: Sequence[float]) -> Values:
    """Pictures (part, y, x) of equal light: what one did not see is taken from those that did, weighted by belief."""
    worth = np.asarray(beliefs) / np.sum(beliefs)
    seen = np.stack([p.source * p.target for p in planes])
    share = worth[:, None, None] * (seen + NO_WEIGHT)
    turned = np.stack([s * p.turned for s, p in zip(scales, planes, strict=True)])
    still = np.stack([s * p.still for s, p in zip(scales, planes, strict=True)])
    source, target = (np.stack([getattr(p, name) for p in planes]) for name in ("source", "target"))
    others = (share * turned).sum(0) / share.sum(0)
    return np.asarray(target * (source * turned + (1 - source) * others) + (1 - target) * still)


def ring_weights(planes: Values, known: Values) -> Values:
    """Weights (part, ring) that add the parts (part, y, x) to the sky of least expected squared error.

    A part shows k of the sky's amplitude, k being the share of its ring's power that its sums know (its half-sets have it in
    common). Divided by k it shows all of it, with an error e: what sets it apart from the mean of the others, but no less than
    its own sums say. With S the sky's power the weights are (1 / k e) / (sum of 1 / e + 1 / S): those of one Wiener filter over
    the sums of all parts. Where no part knows anything they are equal shares.
    """
    bins = rings_of(planes.shape[-2:])
    share = np.clip(at_rings(known, int(bins.max()) + 1, max(planes.shape[-2:])), 0, MAX_KNOWN)
    used = share > MIN_KNOWN
    share = np.maximum(share, MIN_KNOWN)
    spectra = fft.rfft2(planes - planes.mean(axis=(-2, -1), keepdims=True))
    error_from_sums = (1 - share) / share * used
    error, sky = _powers(spectra / share[:, bins] * used[:, bins], used, error_from_sums, bins)
    error = np.maximum(error, sky * error_from_sums)
    worth = used / np.maximum(error, 1e-12 * sky)
    inner = np.arange(share.shape[1]) < INNER_RINGS
    weights = worth / share / (worth.sum(0) + np.where(inner, 0.0, 1 / sky)).clip(1e-300)
    return np.asarray(np.where(used.any(0), weights, 1 / len(planes)))


def _powers(
    spectra: NDArray[np.complex128], used: NDArray[np.bool_], error_from_sums: Values, bins: NDArray[np.intp]
) -> tuple[Values, Values]:
    """Power (part, ring) of the error of each part that is used in a ring, and (ring,) of the sky that all have in common.

    `error_from_sums` is what the sums of each tell, in any unit: two parts alone do not say which of them is wrong.
    """
    count = used.sum(0)
    total, others = spectra.sum(0), np.maximum(count - 1, 1)
    apart = np.stack([ring_mean(np.abs(s - (total - s) / others[bins]) ** 2, bins) for s in spectra]) * used
    every = apart.sum(0) * (count - 1) / np.maximum(count, 1)  # sum of the errors' powers
    one_of_two = every * error_from_sums / np.maximum(error_from_sums.sum(0), 1e-300)
    error = np.where(
        count > 2,
        (apart - every / others**2) / np.maximum(1 - 1 / others**2, 1e-9),
        np.where(count == 2, one_of_two, 0),
    )
    error = np.maximum(error, MIN_ERROR * every / np.maximum(count, 1))
    mean_power = ring_mean(np.abs(total) ** 2, bins) / np.maximum(count, 1) ** 2
    sky = _smooth(np.maximum(mean_power - every / np.maximum(count, 1) ** 2, 0), 3)
    sky = np.maximum(sky, max(1e-12 * float(mean_power.max()), 1e-300))
    return np.exp(_smooth(np.log(np.maximum(error, 1e-12 * sky)), RINGS_OF_ERROR)), sky


def combined(planes: Values, weights: Values) -> Values:
    """The sum (y, x) of pictures (part, y, x), their rings weighted (part, ring); the mean light is that of the mean picture."""
    bins = rings_of(planes.shape[-2:])
    total = sum(w[bins] * fft.rfft2(p) for w, p in zip(weights, planes, strict=True))
    picture: Values = fft.irfft2(total, s=planes.shape[-2:])
    return picture + planes.mean() - picture.mean()


def standard_error(planes: Values, picture: Values, own: Values) -> Values:
    """Standard error (y, x) of a merged picture: of the parts' own errors, and of their scatter where that is larger."""
    parts = len(planes)
    joint = np.sqrt(1 / (1 / np.maximum(own, 1e-30) ** 2).sum(0))
    if parts < 2:
        return np.asarray(joint)
    scatter = ndimage.gaussian_filter(((planes - picture) ** 2).sum(0) / (parts - 1) / parts, SMOOTH_PX)
    return np.maximum(joint, np.sqrt(scatter))


def _smooth(curve: Values, rings: int) -> Values:
    return np.asarray(ndimage.uniform_filter1d(curve, rings, axis=-1, mode="nearest"))
