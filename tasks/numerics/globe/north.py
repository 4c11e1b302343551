"""Where north is in pictures of a turning planet: where early and late ones, their rotation undone, agree best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.globe.derotation import weight_of
from tasks.numerics.globe.spheroid import View, grid, pixels_of, plane_of_surface, surface_at

Image = NDArray[np.float32]
Values = NDArray[np.float64]

MOST_POINTS = 6000
"""Places of the disc at which pictures are compared."""
STEPS_DEG = (10.0, 2.0, 0.5)
"""Steps of the search, each around the best place of the one before."""
LIMB_PX = 4.0
"""Nearer the limb than this its blur shows, which does not turn."""
MOST_PAIRS = 3
"""Pairs of early and late pictures that are compared."""
SAME = 0.005
"""Correlations closer than this do not tell a mirrored picture from one that is not."""
MIN_LIGHT = 0.05
"""Darker than this share of the mean disc, a place holds no light that could be compared."""


@dataclass(frozen=True)
class Orientation:
    """How pictures stand on the sky, and how well that is known."""

    north_deg: float
    """Direction of the north pole, from up to the left."""
    mirrored: bool
    """Whether west is to the left where north is up."""
    agreement: float
    """Correlation of the detail of early and late pictures with their rotation undone in this direction."""
    agreement_still: float
    """The same with nothing undone."""
    agreement_against: float
    """The same with the rotation undone the other way round: what a wrong direction reaches."""
    is_sided: bool
    """Whether a mirrored picture would agree less; else it may be south and mirrored as well: the motion is the same."""


@dataclass(frozen=True)
class Part:
    """One picture of a session."""

    picture: Image
    """(y, x)."""
    view: View
    """How the planet stands in it; its `north_deg` counts from that of the session: the field may turn."""


def oriented(view: View, north_deg: float, mirrored: bool) -> View:
    """The view of a part, given how the session stands; a mirrored field turns the other way."""
    return view.oriented(north_deg + (-view.north_deg if mirrored else view.north_deg), mirrored)


def find_orientation(parts: Sequence[Part], darkening: float = 0.0) -> Orientation:
    """The orientation in which early and late pictures, in this order, agree best once their rotation is undone.

    Searched twice: the direction of the flattening, which the brightness towards the limb follows, is not known before.
    """
    first = _searched(parts, parts, darkening)
    shaped = [Part(p.picture, oriented(p.view, first.north_deg, first.mirrored)) for p in parts]
    return _searched(parts, shaped, darkening)


def _searched(parts: Sequence[Part], shaped: Sequence[Part], darkening: float) -> Orientation:
    """The search with the brightness of the discs as those of `shaped` have it."""
    details = [detail_of(part.picture, part.view, darkening) for part in shaped]
    count = min(MOST_PAIRS, len(parts) // 2)
    pairs = [_Pair((details[k], details[-1 - k]), (parts[k].view, parts[-1 - k].view)) for k in range(count)]

    def agreement(north_deg: float, mirrored: bool, share: float = 1.0) -> float:
        return float(np.mean([pair.correlation(north_deg, mirrored, share) for pair in pairs]))

    best: dict[bool, tuple[float, float]] = {}
    for mirrored in (False, True):
        around, reach = 180.0, 180.0
        for step in STEPS_DEG:
            tried = np.arange(around - reach, around + reach + step / 2, step)
            scores = [agreement(angle, mirrored) for angle in tried]
            around, reach = float(tried[int(np.argmax(scores))]), step
        best[mirrored] = (max(scores), around % 360)
    mirrored = best[True][0] > best[False][0] + SAME
    score, north_deg = best[mirrored]
    return Orientation(
        north_deg, mirrored, score, agreement(north_deg, mirrored, 0.0), agreement(north_deg, mirrored, -1.0),
        is_sided=abs(best[True][0] - best[False][0]) > SAME,
    )  # fmt: skip


@dataclass(frozen=True)
class _Pair:
    """An early and a late picture, as detail that can be sampled anywhere."""

    details: tuple[Values, Values]
    views: tuple[View, View]

    def correlation(self, north_deg: float, mirrored: bool, share: float) -> float:
        """Correlation of the detail where both see the surface, weighted; `share` of the rotation is undone."""
        first, last = (oriented(view, north_deg, mirrored) for view in self.views)
        turned_deg = (last.meridian_deg - first.meridian_deg + 180) % 360 - 180
        middle = first.turned(turned_deg / 2)
        y, x = _places(middle, self.details[0].shape)
        surface = surface_at(middle, y, x)
        weight, sampled = _inside(surface.mu, middle), []
        for view, detail, sign in ((first, self.details[0], -1), (last, self.details[1], 1)):
            aspect = middle.moved(*np.subtract(view.centre_px, middle.centre_px)).oriented(view.north_deg, mirrored)
            west, north, mu = plane_of_surface(aspect.turned(share * sign * turned_deg / 2), surface.points)
            weight = weight * _inside(np.nan_to_num(mu, nan=-1.0), aspect)
            places = [np.nan_to_num(each, nan=-1.0) for each in pixels_of(aspect, west, north)]
            sampled.append(ndimage.map_coordinates(detail, places, order=3, prefilter=False, mode="nearest"))
        return _correlation(sampled[0], sampled[1], weight)


def detail_of(picture: Image, view: View, darkening: float) -> Values:
    """The contrast of a disc (y, x) over its light in the neighbourhood, as coefficients of a cubic spline."""
    y, x = grid(picture.shape)
    mu = np.maximum(
        surface_at(view, y, x).mu, 0
    )  # the flattening's direction is not known yet: the limb has no weight anyway
    disc = (mu > 0).astype(np.float64)
    flat = picture / np.maximum(mu, 0.1) ** darkening * disc
    width = 0.15 * view.radius_px
    around = ndimage.gaussian_filter(flat, width) / np.maximum(ndimage.gaussian_filter(disc, width), 1e-3)
    floor = MIN_LIGHT * float(around[disc > 0].mean()) if disc.any() else 0.0
    contrast = disc * (flat / np.maximum(around, floor) - 1) if floor > 0 else np.zeros_like(disc)
    return np.asarray(ndimage.spline_filter(contrast, order=3, mode="nearest"))


def _inside(mu: Values, view: View) -> Values:
    """Weight 0..1 of surface that is not at the limb, nor so near to it that the limb's blur is its brightness."""
    depth = view.radius_px * (1 - np.sqrt(np.clip(1 - mu**2, 0, 1)))
    return np.asarray(weight_of(mu) * (depth / LIMB_PX).clip(0, 1) ** 2)


def _places(view: View, shape: tuple[int, ...]) -> tuple[Values, Values]:
    """Places on the disc, no more than are needed."""
    y, x = grid(shape)
    inside = np.hypot(y - view.centre_px[0], x - view.centre_px[1]) < view.radius_px
    every = max(1, int(np.ceil(inside.sum() / MOST_POINTS)))
    return y[inside][::every], x[inside][::every]


def _correlation(one: Values, other: Values, weight: Values) -> float:
    """Weighted correlation; 0 where there is nothing to compare."""
    total = weight.sum()
    if total <= 0:
        return 0.0
    one, other = (each - (each * weight).sum() / total for each in (one, other))
    power = (one**2 * weight).sum() * (other**2 * weight).sum()
    return float((one * other * weight).sum() / np.sqrt(power)) if power > 0 else 0.0
