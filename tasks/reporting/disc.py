"""The pixel scale that a planet's disc tells, beside the one that was given."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.captures.ephemeris import disc_arcsec, planet_of
from tasks.numerics.judging.disc import disc_diameter_px

AGREES_WITHIN = 0.05
"""Fraction by which the scales may differ: limb darkening and blur move the limb by one or two per cent."""


def disc_scale(
    picture: NDArray[np.float32], capture: Path, given_arcsec: float | None, sky_scale: int = 1
) -> dict[str, Any] | None:
    """Planet, its disc in arc seconds and pixels, the scale that follows, and a sentence; None where there is no such disc.

    Pixels are the camera's; the picture has `sky_scale` for one of them.
    """
    planet_and_moment = planet_of(capture)
    size_px = disc_diameter_px(picture[min(1, len(picture) - 1)]) if planet_and_moment else None
    size_arcsec = disc_arcsec(*planet_and_moment) if planet_and_moment and size_px else None
    if planet_and_moment is None or size_px is None or size_arcsec is None:
        return None
    size_px /= sky_scale
    scale = size_arcsec / size_px
    sentence = f"{planet_and_moment[0]}'s disc of {size_arcsec:.1f} arcsec is {size_px:.1f} px wide: {scale:.4g} arcsec per pixel"
    if given_arcsec is None:
        sentence += ", which was not given; with aperture_m it makes the result better."
    elif abs(scale / given_arcsec - 1) > AGREES_WITHIN:
        sentence += f", and {given_arcsec:.4g} was given: check focal length, Barlow, pixel size and binning."
    else:
        sentence += f", as was given ({given_arcsec:.4g})."
    return {
        "planet": planet_and_moment[0],
        "arcsec": size_arcsec,
        "px": size_px,
        "scale_arcsec": scale,
        "sentence": sentence,
    }
