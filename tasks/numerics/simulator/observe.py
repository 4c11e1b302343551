"""Simulated captures with known truth: a sky through turbulence, telescope and camera, frame by frame."""

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from tasks.numerics.fourier.canvas import centred
from tasks.numerics.optics.aperture import Aperture, aperture_mask
from tasks.numerics.optics.screens import pupil_phases
from tasks.numerics.robust import mad_sigma

Frames = NDArray[np.uint8 | np.uint16]
WINDS = ((0.55, 6.0, 30.0), (0.30, 11.0, 140.0), (0.15, 19.0, 250.0))


@dataclass(frozen=True)
class SimulatedScene:
    """Everything about a simulated capture but the sky: telescope, turbulence, mount and camera."""

    n_frames: int = 100
    """Frames in the capture; ignored where PSFs are given, one for each frame."""
    size_px: int = 160
    """Width and height of a frame, in pixels."""
    psf_px: int = 128
    """Width of the grid a PSF is made on, in pixels, even: about 12 D/r0 and not below 96, or light is aliased."""
    aperture_m: float = 0.25
    """Diameter of the telescope, in metres."""
    aperture_cells: float = 0.0
    """Diameter of the pupil in cells of the PSF's grid; 0 is half the grid, Nyquist sampling (pixel = lambda / 2D)."""
    obstruction: float = 0.33
    """Central obstruction, as a fraction of the aperture's diameter."""
    pixel_fill: float = 1.0
    """Width of the area a pixel collects light on, as a fraction of the pixel; 0 samples points."""
    d_over_r0: float = 6.0
    """Strength of the seeing: the aperture's diameter over Fried's r0, dimensionless; 0 is no turbulence."""
    outer_scale_m: float = 20.0
    """Outer scale of the turbulence, L0, in metres."""
    winds: tuple[tuple[float, float, float], ...] = WINDS
    """Turbulent layers: (share of the turbulence, wind speed in m/s, direction in degrees from +x towards +y)."""
    exposure_s: float = 0.004
    """Exposure of a frame, in seconds, during which the wind moves the layers."""
    fps: float = 60.0
    """Frames per second."""
    n_subexposures: int = 3
    """Instantaneous PSFs averaged over a frame's exposure, a count."""
    photons_peak: float = 4000.0
    """Electrons per frame in the brightest pixel of the sky as the perfect telescope would show it."""
    background_e: float = 0.0
    """Electrons per pixel and frame from the night sky's glow."""
    read_noise_e: float = 2.0
    """Read noise per pixel, in electrons rms."""
    bits: int = 12
    """Bits of the camera's converter, 1 .. 16: up to 8 give uint8 frames, above uint16, low-aligned."""
    offset_adu: float = 8.0
    """Level of the dark, in ADU, added before the converter clips."""
    gain_e_per_adu: float | None = None
    """Electrons per ADU; None chooses it so that the perfect telescope's brightest pixel stays at `full_scale`."""
    full_scale: float = 0.8
    """Level of the turbulence-free picture's brightest pixel, as a fraction of the converter's range."""
    drift_px: tuple[float, float] = (0.0, 0.0)
    """Slow drift (dy, dx) over the whole capture, in pixels, half of it before the middle frame."""
    jitter_px: float = 0.3
    """Pointing error of each frame, in pixels rms per axis."""
    clouds: float = 0.0
    """Slow change of transparency by thin clouds: rms of its logarithm, dimensionless."""
    seed: int = 0
    """Seed of everything random; turbulence, pointing, clouds and camera use independent streams."""


@dataclass(frozen=True)
class Truth:
    """The turbulence-free sky on the capture's grid, in electrons per frame, (y, x)."""

    sharp: NDArray[np.float32]
    """The sky itself."""
    diffraction: NDArray[np.float32]
    """The sky through the diffraction-limited telescope, with which restorations are compared."""


@dataclass(frozen=True)
class Block:
    """Consecutive frames with their PSFs, shifts and transparency."""

    frames: Frames
    """(frame, y, x) ADU."""
    psfs: NDArray[np.float32]
    """(frame, y, x), sum 1, centred on [size // 2, size // 2]; the turbulence's tilt included, the pointing error not."""
    shifts: NDArray[np.float64]
    """(frame, 2) dy, dx in pixels: frame k shows the truth displaced by +dy, +dx (drift and jitter)."""
    transparency: NDArray[np.float64]
    """(frame,) fraction of the light that clouds transmit."""
    times_s: NDArray[np.float64]
    """(frame,) start of the exposure, in seconds."""


def _needed_px(scene: SimulatedScene, psf_px: int) -> int:
    reach = max(abs(scene.drift_px[0]), abs(scene.drift_px[1])) / 2 + 4 * scene.jitter_px
    return scene.size_px + psf_px + 2 * int(np.ceil(reach))


def canvas_px(scene: SimulatedScene, psf_px: int | None = None) -> int:
    """Width of the sky a scene needs: the frame with margins for PSFs, drift and jitter."""
    return int(fft.next_fast_len(_needed_px(scene, psf_px or scene.psf_px), real=True))


def psfs_from_phases(phases: NDArray[np.float32], pupil_mask: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Phases (..., n, n) in rad over a pupil (n, n) to PSFs (..., size, size), sum 1, on [size // 2, size // 2]."""
    if pupil_mask.shape[-1] > size:
        raise ValueError(f"the pupil's grid is {pupil_mask.shape[-1]} wide, the PSF's {size}: widen the PSF's grid")
    amplitude = pupil_mask * np.exp(1j * phases)
    power = np.abs(fft.fft2(amplitude, s=(size, size))) ** 2
    # Parseval: the sum does not depend on the phase.
    power /= size * size * float((pupil_mask.astype(np.float64) ** 2).sum())
    psfs: NDArray[np.float32] = fft.fftshift(power, axes=(-2, -1)).astype(np.float32)
    return psfs


def _through_pixels(psf: NDArray[np.float32], fill: float) -> NDArray[np.float32]:
    """A PSF (y, x) averaged over the width `fill` of square pixels."""
    n = psf.shape[-1]
    blur = np.outer(np.sinc(fill * np.fft.fftfreq(n)), np.sinc(fill * np.fft.rfftfreq(n)))
    averaged: NDArray[np.float32] = fft.irfft2(fft.rfft2(psf) * blur, s=psf.shape).astype(np.float32)
    return averaged


def perfect_psf(scene: SimulatedScene) -> NDArray[np.float32]:
    """The PSF (y, x) of the telescope and its pixels without turbulence."""
    pupil = _pupil(scene)
    return _through_pixels(psfs_from_phases(np.zeros_like(pupil), pupil, scene.psf_px), scene.pixel_fill)


def _pupil(scene: SimulatedScene) -> NDArray[np.float32]:
    """The aperture's mask cropped to the cells it fills, which does not change |FFT|^2."""
    diameter = scene.aperture_cells or scene.psf_px / 2
    mask = aperture_mask(scene.psf_px, Aperture(diameter, scene.obstruction))
    half = min(int(np.ceil(diameter / 2)) + 1, scene.psf_px // 2)
    middle = scene.psf_px // 2
    cut: NDArray[np.float32] = mask[middle - half : middle + half, middle - half : middle + half]
    return cut


def air_psfs(scene: SimulatedScene) -> Iterator[NDArray[np.float32]]:
    """The PSF (y, x) of each frame of a scene: frozen flow over the pupil, averaged over the exposure."""
    if scene.d_over_r0 <= 0:
        yield from [perfect_psf(scene)] * scene.n_frames
        return
    pupil = _pupil(scene)
    diameter = scene.aperture_cells or scene.psf_px / 2
    per_metre = diameter / scene.aperture_m
    layers = [
        (share, speed * per_metre * np.sin(np.radians(angle)), speed * per_metre * np.cos(np.radians(angle)))
        for share, speed, angle in scene.winds
    ]
    within = (np.arange(scene.n_subexposures) + 0.5) / scene.n_subexposures * scene.exposure_s
    times = (np.arange(scene.n_frames)[:, None] / scene.fps + within).ravel()
    phases = pupil_phases(
        len(pupil), diameter / scene.d_over_r0, scene.outer_scale_m * per_metre, layers, times, _stream(scene, 0)
    )
    for _ in range(scene.n_frames):
        moments = np.stack([next(phases) for _ in range(scene.n_subexposures)])
        yield _through_pixels(psfs_from_phases(moments, pupil, scene.psf_px).mean(axis=0), scene.pixel_fill)


def clean_psfs(images: NDArray[np.float32], threshold: float = 3.0) -> NDArray[np.float32]:
    """Pictures of a bright star (frame, y, x) to PSFs: background and noise removed, centred to a pixel, sum 1.

    Background and noise are measured along the border; light fainter than `threshold` times that noise is set to zero.
    The sub-pixel part of the position stays in the PSF as tilt.
    """
    psfs = np.zeros_like(images, dtype=np.float32)
    middle = np.array(images.shape[1:]) // 2
    for k, image in enumerate(np.asarray(images, dtype=np.float64)):
        ring = np.concatenate([image[:2].ravel(), image[-2:].ravel(), image[:, :2].ravel(), image[:, -2:].ravel()])
        level = float(np.median(ring))
        noise = mad_sigma(ring)
        star = np.where(image - level > threshold * noise, image - level, 0.0)
        light = star.sum()
        if light <= 0:
            raise ValueError(f"PSF image {k} has no light {threshold:g} sigma above its border: leave it out")
        centre = [(star.sum(axis=1 - a) * np.arange(star.shape[a])).sum() / light for a in (0, 1)]
        move = middle - np.rint(centre).astype(int)
        psfs[k] = np.roll(star / light, tuple(move), axis=(0, 1))
    return psfs


def _stream(scene: SimulatedScene, which: int) -> np.random.Generator:
    """Independent random numbers for the turbulence (0), the pointing (1), the clouds (2) and the camera (3)."""
    return np.random.default_rng([scene.seed, which])


def _pointing(scene: SimulatedScene, n_frames: int) -> NDArray[np.float64]:
    """(frame, 2) dy, dx in pixels against the truth: constant drift, zero in the middle of the capture, and jitter."""
    along = np.linspace(-0.5, 0.5, n_frames) if n_frames > 1 else np.zeros(1)
    jitter = np.clip(_stream(scene, 1).standard_normal((n_frames, 2)), -4, 4) * scene.jitter_px
    shifts: NDArray[np.float64] = along[:, None] * np.array(scene.drift_px) + jitter
    return shifts


def _transparency(scene: SimulatedScene, n_frames: int) -> NDArray[np.float64]:
    """(frame,) fraction of the light, 1 in the clearest frame, correlated over about a second."""
    if scene.clouds <= 0:
        return np.ones(n_frames)
    wave = gaussian_filter1d(_stream(scene, 2).standard_normal(n_frames + 1), scene.fps / 2, mode="wrap")[:n_frames]
    wave = wave / max(float(wave.std()), 1e-12) * scene.clouds
    dimming: NDArray[np.float64] = np.exp(wave - wave.max())
    return dimming


def _transfer(psf: NDArray[np.float32], canvas: int, shift: tuple[float, float]) -> NDArray[np.complex128]:
    """The PSF's transfer function on the canvas's rfft grid, with a shift (dy, dx) in pixels as a phase ramp."""
    dy, dx = (float(s) - n // 2 for s, n in zip(shift, psf.shape, strict=True))
    ramp_y = np.exp(-2j * np.pi * np.fft.fftfreq(canvas) * dy)
    ramp_x = np.exp(-2j * np.pi * np.fft.rfftfreq(canvas) * dx)
    transfer: NDArray[np.complex128] = fft.rfft2(psf.astype(np.float64), s=(canvas, canvas)) * ramp_y[:, None] * ramp_x
    return transfer


def _crop(canvas: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return canvas[centred((size, size), len(canvas))]


def _perfect(
    canvas: NDArray[np.float32], scene: SimulatedScene
) -> tuple[float, NDArray[np.float64], NDArray[np.complex128]]:
    """Electrons per unit of the canvas; the turbulence-free picture in electrons; the canvas's spectrum in electrons."""
    n = canvas.shape[0]
    if canvas.ndim != 2 or canvas.shape[1] != n or n < scene.size_px:
        raise ValueError(f"the sky is {canvas.shape}; it must be square and at least {canvas_px(scene)} wide")
    spectrum = fft.rfft2(canvas.astype(np.float64))
    picture = _crop(fft.irfft2(spectrum * _transfer(perfect_psf(scene), n, (0.0, 0.0)), s=(n, n)), scene.size_px)
    if not picture.max() > 0:
        raise ValueError("the sky is dark inside the frame; give a canvas with light in its middle")
    per_unit = scene.photons_peak / float(picture.max())
    return per_unit, picture * per_unit, spectrum * per_unit


def truth(canvas: NDArray[np.float32], scene: SimulatedScene) -> Truth:
    """The frames of `simulate` without turbulence, noise and pointing errors."""
    per_unit, picture, _ = _perfect(canvas, scene)
    sharp = _crop(canvas.astype(np.float64), scene.size_px) * per_unit
    return Truth(sharp.astype(np.float32), picture.astype(np.float32))


def _expose(electrons: NDArray[np.float64], scene: SimulatedScene, rng: np.random.Generator) -> Frames:
    """Light (y, x) in electrons to the camera's raw values: photon noise, read noise, gain, offset, clipping."""
    top = 2**scene.bits - 1
    peak = scene.photons_peak + scene.background_e
    gain = scene.gain_e_per_adu or peak / max(scene.full_scale * top - scene.offset_adu, 1.0)
    counted = rng.poisson(np.maximum(electrons, 0.0)) + rng.normal(0.0, scene.read_noise_e, electrons.shape)
    raw = np.clip(np.rint(counted / gain + scene.offset_adu), 0, top)
    return raw.astype(np.uint8) if scene.bits <= 8 else raw.astype(np.uint16)


def observe(
    canvas: NDArray[np.float32], psfs: Iterable[NDArray[np.float32]], scene: SimulatedScene, block: int = 32
) -> Iterator[Block]:
    """The capture of a sky through one PSF (y, x) per frame, `block` frames at a time, which bounds the memory.

    As many frames as there are PSFs; from an iterator without a length, at most the scene's n_frames.
    """
    n_frames = len(psfs) if isinstance(psfs, Sized) else scene.n_frames
    n = canvas.shape[0]
    _, _, spectrum = _perfect(canvas, scene)
    shifts, dimming, camera = _pointing(scene, n_frames), _transparency(scene, n_frames), _stream(scene, 3)
    source = iter(psfs)
    for first in range(0, n_frames, block):
        batch = list(islice(source, min(block, n_frames - first)))
        if not batch:
            return
        used = np.stack(batch)
        if n < _needed_px(scene, used.shape[-1]):
            raise ValueError(
                f"the sky is {n} px wide: for frames of {scene.size_px} px and PSFs of {used.shape[-1]} px light would "
                f"wrap around; make it {canvas_px(scene, used.shape[-1])} px or cut the PSFs"
            )
        frames = []
        for k, psf in enumerate(used, start=first):
            light = fft.irfft2(spectrum * _transfer(psf, n, (shifts[k, 0], shifts[k, 1])), s=(n, n))
            frames.append(_expose(_crop(light, scene.size_px) * dimming[k] + scene.background_e, scene, camera))
        span = slice(first, first + len(frames))
        yield Block(np.stack(frames), used, shifts[span], dimming[span], np.arange(n_frames)[span] / scene.fps)


def simulate(
    canvas: NDArray[np.float32], scene: SimulatedScene, psfs: NDArray[np.float32] | None = None, block: int = 32
) -> Iterator[Block]:
    """A capture of `canvas` through simulated turbulence, or through recorded star images `psfs` (frame, y, x)."""
    return observe(canvas, air_psfs(scene) if psfs is None else clean_psfs(psfs), scene, block)
