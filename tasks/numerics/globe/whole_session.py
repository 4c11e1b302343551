"""A session from measured discs to one sky: where north is, the rotation undone, the parts put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.globe.derotation import Rings, darkening_of
from tasks.numerics.globe.north import Orientation, Part, find_orientation, oriented
from tasks.numerics.globe.session import Merged, SkyPart, merged, registered
from tasks.numerics.globe.spheroid import View

Image = NDArray[np.float32]

MIN_MOTION_PX = 0.5
"""Where the middle of the disc moves less over the session, no direction can be found, and none is needed."""
MIN_GAIN = 0.005
"""By so much the correlation of early and late pictures has to be above that without, and against, the rotation."""
SAME_SCALE = 0.05
"""A disc is as large as the pixel scale says where the two are no more than this fraction apart."""
LIT_SHARE = 0.2
"""The light of a planet with rings is what is brighter than this share of its brightest."""


@dataclass(frozen=True)
class Aspect:
    """How the planet stands for one picture."""

    meridian_deg: float
    """Longitude of the central meridian, west positive."""
    latitude_deg: float
    """Planetocentric latitude of the middle of the disc."""
    field_deg: float
    """By how much north stands to the left of where it stands in the middle of the session, in a picture that is not mirrored."""
    diameter_px: float
    """Equatorial diameter that the pixel scale tells; 0: not known."""


@dataclass(frozen=True)
class SessionMade:
    """A session as one sky for each filter, or why there is none."""

    skies: tuple[Merged, ...] = ()
    orientation: Orientation | None = None
    """How the planet stands in the middle of the session; None: given, or not needed."""
    view: View | None = None
    """The disc of the merged picture."""
    darkening: float = 0.0
    """Exponent of the cosine of the angle of sight in the brightness."""
    why_not: str = ""
    """Why no sky could be made."""


def views_of(
    pictures: Sequence[Image],
    discs: Sequence[tuple[float, float, float] | None],
    aspects: Sequence[Aspect],
    flattening: float,
) -> list[View] | None:
    """The disc in each picture (y, x); None where its size is known neither from a limb nor from the scale.

    `discs` are (y, x, diameter) in px as measured; where one is not, its middle is that of the light. All have one size: that of
    the pixel scale where the limbs agree with it, else the median of the limbs.
    """
    measured = [disc[2] for disc in discs if disc is not None]
    from_time = float(np.median([aspect.diameter_px for aspect in aspects]))
    limb = float(np.median(measured)) if measured else 0.0
    diameter = from_time if from_time > 0 and (limb == 0 or abs(limb / from_time - 1) < SAME_SCALE) else limb
    if diameter <= 0:
        return None
    middles = [disc[:2] if disc is not None else _middle_of_light(p) for p, disc in zip(pictures, discs, strict=True)]
    return [
        View(middle, diameter / 2, flattening, a.latitude_deg, a.meridian_deg, a.field_deg)
        for middle, a in zip(middles, aspects, strict=True)
    ]


def _middle_of_light(picture: Image) -> tuple[float, float]:
    smooth = ndimage.gaussian_filter(picture.astype(np.float64), 2.0)
    y, x = ndimage.center_of_mass(smooth - smooth.min() > LIT_SHARE * np.ptp(smooth))
    return float(y), float(x)


def session_sky(
    groups: Sequence[Sequence[SkyPart]],
    middle: Aspect,
    rings: Rings | None = None,
    given: tuple[float, bool] | None = None,
) -> SessionMade:
    """One sky for each group of parts in the order of their recording, all at the middle of the session.

    `given` is (direction of north, mirrored); without it the largest group tells it. The `north_deg` of the parts' views is how
    far the field had turned.
    """
    parts = max(groups, key=len)
    motion_px = parts[0].view.radius_px * np.radians(np.ptp([_turn(p.view, middle) for p in parts]))
    orientation = None
    if given is None and motion_px > MIN_MOTION_PX:
        orientation = _orientation(parts, middle, rings)
        agrees = orientation.agreement - max(orientation.agreement_still, orientation.agreement_against)
        if agrees < MIN_GAIN:
            return SessionMade(
                orientation=orientation,
                why_not="north could not be found: early and late captures agree no better with their rotation undone; say "
                "[session] north_deg and mirrored",
            )
    north = given or ((orientation.north_deg, orientation.mirrored) if orientation else (0.0, False))
    still = given is None and orientation is None
    standing = [[_standing(part, north, middle if still else None) for part in group] for group in groups]
    wanted = wanted_view(parts, middle, north)
    nearest = min((p for group in standing for p in group), key=lambda p: abs(_turn(p.view, middle)))
    darkening = darkening_of(nearest.picture.mean(axis=0), nearest.view)
    return SessionMade(
        tuple(merged(group, wanted, darkening, rings) for group in standing), orientation, wanted, darkening
    )


def wanted_view(parts: Sequence[SkyPart], middle: Aspect, north: tuple[float, bool]) -> View:
    """The disc in the middle of the session: where the part nearest to it has it."""
    nearest = min(parts, key=lambda part: abs(_turn(part.view, middle)))
    view = replace(nearest.view, meridian_deg=middle.meridian_deg, latitude_deg=middle.latitude_deg, north_deg=0.0)
    return oriented(view, *north)


def _orientation(parts: Sequence[SkyPart], middle: Aspect, rings: Rings | None) -> Orientation:
    """North from the parts as they were measured, then from the same parts registered on each other."""
    found: Orientation | None = None
    moved, darkening, north = list(parts), 0.0, (0.0, False)
    for _ in range(2):
        if found is not None:
            north = (found.north_deg, found.mirrored)
            standing = [_standing(part, north, None) for part in parts]
            _, moves = registered(standing, wanted_view(parts, middle, north), darkening, rings)
            moved = [replace(p, view=p.view.moved(*move)) for p, move in zip(parts, moves, strict=True)]
        pictures = [part.picture.mean(axis=0) for part in moved]
        views = [part.view if found is None else oriented(part.view, *north) for part in moved]
        darkening = float(np.median([darkening_of(*pair) for pair in zip(pictures, views, strict=True)]))
        found = find_orientation([Part(p, part.view) for p, part in zip(pictures, moved, strict=True)], darkening)
    assert found is not None
    return found


def _standing(part: SkyPart, north: tuple[float, bool], still: Aspect | None) -> SkyPart:
    """A part whose north is known; where the planet is to stand still, it has not turned."""
    view = oriented(part.view, *north)
    return replace(part, view=view if still is None else replace(view, meridian_deg=still.meridian_deg))


def _turn(view: View, middle: Aspect) -> float:
    """Degrees by which a planet has turned since the middle of the session."""
    return (view.meridian_deg - middle.meridian_deg + 180) % 360 - 180
