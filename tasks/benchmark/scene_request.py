"""The scene of a simulated capture from what a user asked for, checked against what can be simulated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from configs.load import BadConfig
from configs.schema import ARCSEC_PER_RAD
from tasks.numerics.simulator.scene import STATIC, SimulatedScene

RANGES: dict[str, tuple[float, float, str]] = {
    "n_frames": (1, 1_000_000, ""),
    "size_px": (16, 4096, "px"),
    "height_px": (16, 4096, "px"),
    "psf_px": (32, 4096, "px"),
    "d_over_r0": (0, 40, ""),
    "photons_peak": (1, 1e7, "electrons"),
    "read_noise_e": (0, 1000, "electrons"),
    "background_e": (0, 1e7, "electrons"),
    "bits": (8, 16, "bits"),
    "exposure_s": (1e-6, 60, "s"),
    "fps": (0.01, 10_000, "per second"),
    "aperture_m": (0.01, 60, "m"),
    "obstruction": (0, 0.94, ""),
    "spider": (0, 0.2, "of the diameter"),
    "dispersion_px": (-50, 50, "px"),
    "jitter_px": (0, 50, "px"),
    "clouds": (0, 1, ""),
    "binning": (1, 4, ""),
    "seed": (0, 2**32 - 1, ""),
}
"""Least and largest value of what can be asked for, and its unit."""


def scene_of(
    request: Mapping[str, Any], wavelength_nm: float = 550.0, pixel_scale_arcsec: float | None = None
) -> SimulatedScene:
    """A checked scene from the fields of SimulatedScene that a user gave (None: not given); the PSF grid follows from the air.

    Without a pixel scale a pixel is lambda / 2D, Nyquist sampling; a camera's with binning, so many times as wide.
    """
    fields = {name: value for name, value in request.items() if value is not None}
    for name, (low, high, unit) in RANGES.items():
        if name in fields and not low <= fields[name] <= high:
            raise BadConfig(f"{name} = {fields[name]:g}: needed are {low:g} .. {high:g} {unit}".rstrip())
    if not 200 <= wavelength_nm <= 20000:
        raise BadConfig(f"wavelength_nm = {wavelength_nm:g}: needed are 200 .. 20000 nm")
    fields = _with_colours(fields)
    if "exposure_s" in fields:
        fields.setdefault("fps", min(SimulatedScene.fps, 1 / fields["exposure_s"]))
    scene = SimulatedScene(**fields)
    if scene.exposure_s * scene.fps > 1.0001:
        raise BadConfig(f"exposure of {scene.exposure_s:g} s at {scene.fps:g} per second: lower --fps or --exposure-ms")
    if not max(map(abs, scene.drift_px)) <= 4 * scene.size_px:
        raise BadConfig(f"drift_px = {scene.drift_px}: at most {4 * scene.size_px} px, four frames; ask for less drift")
    scene, sampling = _on_sky_grid(scene), 2.0
    if pixel_scale_arcsec is not None:
        pixel_scale_arcsec /= scene.binning
        sampling = wavelength_nm * 1e-9 / scene.aperture_m * ARCSEC_PER_RAD / max(pixel_scale_arcsec, 1e-9)
        if not 1 <= sampling <= 16:
            widest = pixel_scale_arcsec * sampling
            raise BadConfig(
                f"pixel_scale_arcsec = {pixel_scale_arcsec:g}: lambda/D is {sampling:.2g} px; needed are 1 .. 16 px, "
                f"that is {widest / 16:.2g} .. {widest:.2g} arcsec per pixel"
            )
    finer = fields.get("psf_px", 0) / sampling  # a wider grid than needed: a finer pupil
    width = 2 * int(np.ceil(max(48.0, 6 * scene.d_over_r0, finer) * sampling / 2))
    return replace(scene, psf_px=width, aperture_cells=width / sampling)


def _on_sky_grid(scene: SimulatedScene) -> SimulatedScene:
    """A scene whose lengths were asked for in the camera's pixels, in those of the sky's grid."""
    fine = scene.binning
    return replace(
        scene,
        size_px=scene.size_px * fine,
        height_px=scene.height_px * fine,
        drift_px=(scene.drift_px[0] * fine, scene.drift_px[1] * fine),
        jitter_px=scene.jitter_px * fine,
        dispersion_px=scene.dispersion_px * fine,
    )


def _with_colours(fields: dict[str, Any]) -> dict[str, Any]:
    """Is what was asked of colours possible together? A mosaic has colours."""
    mosaic = fields.get("mosaic", "")
    if mosaic not in ("", "RGGB", "GRBG", "GBRG", "BGGR"):
        raise BadConfig(f"mosaic = {mosaic}: needed is RGGB, GRBG, GBRG or BGGR")
    if mosaic and fields.get("colours"):
        raise BadConfig("a movie has no mosaic: its camera made colours of it; ask for --mosaic or --movie")
    fields = fields | {"colours": bool(mosaic) or bool(fields.get("colours"))}
    if fields.get("dispersion_px") and not fields["colours"]:
        raise BadConfig("dispersion moves colours apart, and this camera sees one: ask for --mosaic or --movie as well")
    return fields


def parse_size(word: str) -> dict[str, int]:
    """WIDTHxHEIGHT in pixels, or one number for a square, as fields of SimulatedScene."""
    try:
        width, *height = (int(part) for part in word.lower().split("x"))
    except ValueError:
        width, height = 0, [0, 0]
    if len(height) > 1:
        raise BadConfig(f"--size {word!r}: write a number of pixels or WIDTHxHEIGHT, for example --size 640x480")
    return {"size_px": width} | ({"height_px": height[0]} if height else {})


def parse_static(words: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Aberrations NAME=WAVES, waves rms, as SimulatedScene wants them."""
    found = []
    for word in words:
        name, _, text = word.partition("=")
        try:
            waves = float(text)
        except ValueError:
            waves = float("nan")
        if name not in STATIC or not abs(waves) <= 1:
            raise BadConfig(
                f"--static {word!r}: write NAME=WAVES, at most 1 wave rms, for example --static coma=0.07; names are "
                f"{', '.join(STATIC)}"
            )
        found.append((name, waves))
    return tuple(found)


def parse_movie(word: str) -> float:
    """Bits per pixel of a movie, from bpp=NUMBER."""
    name, _, text = word.partition("=")
    try:
        bits = float(text)
    except ValueError:
        bits = float("nan")
    if name != "bpp" or not 0.02 <= bits <= 24:
        raise BadConfig(f"--movie {word!r}: write bpp=NUMBER, 0.02 .. 24 bits per pixel, for example --movie bpp=0.6")
    return bits


def parse_wind(words: tuple[str, ...]) -> tuple[tuple[float, float, float], ...] | None:
    """Layers SHARE,SPEED_M_S,DIRECTION_DEG as SimulatedScene wants them; none given: None."""
    layers = []
    for word in words:
        try:
            share, speed, angle = (float(part) for part in word.split(","))
        except ValueError:
            raise BadConfig(
                f"--wind {word!r}: write SHARE,SPEED,DIRECTION, for example --wind 0.6,8,30 (m/s, degrees)"
            ) from None
        if not (0 < share < np.inf and abs(speed) <= 200 and np.isfinite(angle)):
            raise BadConfig(f"--wind {word!r}: needed are a positive share and a speed of at most 200 m/s")
        layers.append((share, speed, angle))
    return tuple(layers) or None
