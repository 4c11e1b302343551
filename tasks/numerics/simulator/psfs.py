"""PSFs of a simulated scene: telescope, static aberrations, vanes and turbulence; or those of a recorded star."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tasks.numerics.fourier.canvas import centred
from tasks.numerics.optics.aperture import Aperture, aperture_mask
from tasks.numerics.optics.screens import pupil_phases
from tasks.numerics.optics.zernike import zernike
from tasks.numerics.robust import mad_sigma
from tasks.numerics.simulator.scene import STATIC, WAVELENGTH_RATIOS, SimulatedScene


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


def colour_grid(scene: SimulatedScene, ratio: float) -> int:
    """Width of the grid on which a PSF at `ratio` times the scene's wavelength has the scene's pixels: even, so rounded."""
    return 2 * round(scene.psf_px * ratio / 2)


def exact_ratio(scene: SimulatedScene, colour: int) -> float:
    """Wavelength of a colour as a fraction of the scene's, with the grid's rounding: what was really simulated."""
    return colour_grid(scene, WAVELENGTH_RATIOS[colour]) / scene.psf_px


def perfect_psf(scene: SimulatedScene, ratio: float = 1.0) -> NDArray[np.float32]:
    """The PSF (y, x) of the telescope and its pixels without turbulence, static aberrations and vanes."""
    pupil = _pupil(replace(scene, spider=0.0))
    return _psf(np.zeros_like(pupil)[None], pupil, scene, ratio)


def static_phase(scene: SimulatedScene) -> NDArray[np.float32]:
    """The telescope's own phase over the cells of its pupil (y, x), in rad; its rms over a full disc is what was asked for."""
    n = len(_pupil(scene))
    y, x = (np.indices((n, n)) - n // 2) / (scene.diameter_cells / 2)
    rho, theta = np.hypot(y, x), np.arctan2(y, x)
    phase = np.zeros((n, n))
    for name, waves in scene.static:
        if name not in STATIC:
            raise ValueError(f"aberration {name!r}: known are {', '.join(STATIC)}")
        phase += 2 * np.pi * waves * np.where(rho <= 1.2, zernike(STATIC[name], rho, theta), 0.0)
    return phase.astype(np.float32)


def _psf(
    phases: NDArray[np.float32], pupil: NDArray[np.float32], scene: SimulatedScene, ratio: float
) -> NDArray[np.float32]:
    """Mean PSF of moments' phases (moment, y, x) at `ratio` times the scene's wavelength, on the scene's grid and pixels."""
    grid = colour_grid(scene, ratio)
    psf = psfs_from_phases(phases * np.float32(scene.psf_px / grid), pupil, grid).mean(axis=0)
    if grid > scene.psf_px:
        psf = psf[centred((scene.psf_px,) * 2, grid)]
        psf = psf / psf.sum()
    elif grid < scene.psf_px:
        wide = np.zeros((scene.psf_px,) * 2, np.float32)
        wide[centred((grid, grid), scene.psf_px)] = psf
        psf = wide
    return _through_pixels(psf, scene.pixel_width)


def _pupil(scene: SimulatedScene) -> NDArray[np.float32]:
    """The aperture's mask cropped to the cells it fills, which does not change |FFT|^2."""
    diameter = scene.diameter_cells
    mask = aperture_mask(scene.psf_px, Aperture(diameter, scene.obstruction))
    half = min(int(np.ceil(diameter / 2)) + 1, scene.psf_px // 2)
    middle = scene.psf_px // 2
    if scene.spider:
        mask = mask * _vanes(scene.psf_px, scene.spider * diameter)
    cut: NDArray[np.float32] = mask[middle - half : middle + half, middle - half : middle + half]
    return cut


def _vanes(size: int, width: float) -> NDArray[np.float32]:
    """Transmission (size, size) of a cross of four vanes `width` cells wide, antialiased."""
    from_middle = np.abs(np.arange(size) - size // 2)
    covered = np.clip(width / 2 + 0.5 - from_middle, 0.0, min(1.0, width))
    open_: NDArray[np.float32] = np.outer(1 - covered, 1 - covered).astype(np.float32)
    return open_


def air_psfs(scene: SimulatedScene) -> Iterator[NDArray[np.float32]]:
    """The PSF of each frame of a scene, (y, x) or (colour, y, x): frozen flow over the pupil, averaged over the exposure."""
    pupil, own = _pupil(scene), static_phase(scene)
    phases = _moments(scene, len(pupil))
    for _ in range(scene.n_frames):
        moments = np.stack([next(phases) for _ in range(scene.n_subexposures)]) + own
        seen = [_psf(moments, pupil, scene, ratio) for ratio in (WAVELENGTH_RATIOS if scene.colours else (1.0,))]
        yield np.stack(seen) if scene.colours else seen[0]


def _moments(scene: SimulatedScene, size: int) -> Iterator[NDArray[np.float32]]:
    """The turbulence's phase over the pupil at every instant that the exposures hold."""
    if scene.d_over_r0 <= 0:
        return repeat(np.zeros((size, size), np.float32))
    per_metre = scene.diameter_cells / scene.aperture_m
    layers = [
        (share, speed * per_metre * np.sin(np.radians(angle)), speed * per_metre * np.cos(np.radians(angle)))
        for share, speed, angle in scene.winds
    ]
    within = (np.arange(scene.n_subexposures) + 0.5) / scene.n_subexposures * scene.exposure_s
    times = (np.arange(scene.n_frames)[:, None] / scene.fps + within).ravel()
    r0_px, outer_px = scene.diameter_cells / scene.d_over_r0, scene.outer_scale_m * per_metre
    return pupil_phases(size, r0_px, outer_px, layers, times, scene.stream(0))


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
