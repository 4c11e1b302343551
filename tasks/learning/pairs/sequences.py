"""Simulated frames for the pairs: a target, still or turning, through air that is frozen for a while or new in every frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from configs.training import Examples
from tasks.numerics.simulator.observe import canvas_px
from tasks.numerics.simulator.psfs import air_psfs, perfect_psf
from tasks.numerics.simulator.scene import SimulatedScene
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]
PSF_PX = 96
SLOW, FAST = 300.0, 8.0
"""Frames per second in which the air hardly changes from one to the next, and in which it is a new one."""


def scene_of(rng: np.random.Generator, seed: int, settings: Examples, frames: int, fps: float) -> SimulatedScene:
    """Telescope and air of a sequence."""
    air = settings.air
    return SimulatedScene(
        n_frames=frames, size_px=settings.size_px, psf_px=PSF_PX, n_subexposures=1, seed=seed, fps=fps,
        aperture_cells=float(rng.uniform(*air.aperture_cells)), obstruction=float(rng.uniform(*air.obstruction)),
        d_over_r0=float(rng.uniform(*air.d_over_r0)),
    )  # fmt: skip


def clean_frames(target: str, sky_seed: int, scene: SimulatedScene, turn_degrees: float = 0.0) -> Image:
    """Frames (frame, y, x) without noise, registered by their centres of light; the brightest pixel of all is 1."""
    canvas = canvas_px(scene)
    sky = TARGETS[target](canvas, np.random.default_rng([sky_seed, 0]))
    spectrum = fft.rfft2(sky)
    frames = []
    for number, psf in enumerate(air_psfs(scene)):
        if turn_degrees:
            spectrum = fft.rfft2(ndimage.rotate(sky, turn_degrees * number, reshape=False, order=1, mode="nearest"))
        frames.append(_through(spectrum, _centred(psf), canvas, scene.size_px))
    found = np.stack(frames)
    return np.asarray(found / found.max(), np.float32)


def perfect_frame(target: str, sky_seed: int, scene: SimulatedScene) -> Image:
    """The target (y, x) through the telescope without air; its brightest pixel is 1."""
    canvas = canvas_px(replace(scene, d_over_r0=0.0))
    sky = TARGETS[target](canvas, np.random.default_rng([sky_seed, 0]))
    frame = _through(fft.rfft2(sky), perfect_psf(scene), canvas, scene.size_px)
    return np.asarray(frame / frame.max(), np.float32)


def noisy(frames: Image, sigma: float, rng: np.random.Generator) -> Image:
    """With a camera's noise of a fixed level."""
    return np.asarray(frames + sigma * rng.standard_normal(frames.shape), np.float32)


def log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """A number whose logarithm is spread evenly."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def transfer_of(psf: Image, canvas: int) -> NDArray[np.complex128]:
    """Transfer function, on the grid of rfft2 of a canvas, of a PSF (y, x) that is centred on [n // 2, n // 2]."""
    padded = np.zeros((canvas, canvas))
    padded[: psf.shape[0], : psf.shape[1]] = psf
    return fft.rfft2(np.roll(padded, (-(psf.shape[0] // 2), -(psf.shape[1] // 2)), (0, 1)))


def _through(spectrum: NDArray[np.complex64], psf: Image, canvas: int, size: int) -> Image:
    edge = (canvas - size) // 2
    frame = fft.irfft2(spectrum * transfer_of(psf, canvas), s=(canvas, canvas))
    return np.asarray(frame[edge : edge + size, edge : edge + size], np.float32)


def _centred(psf: Image) -> Image:
    """The PSF with its centre of light on the middle: what registration does with a frame."""
    centre = ndimage.center_of_mass(psf)
    return np.asarray(
        ndimage.shift(psf, [n // 2 - float(c) for c, n in zip(centre, psf.shape, strict=True)], order=1), np.float32
    )
