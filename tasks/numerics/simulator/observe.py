"""Simulated captures with known truth: a sky through turbulence, telescope and camera, frame by frame."""

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from tasks.numerics.fourier.canvas import centred
from tasks.numerics.simulator.camera import BrokenCamera, Frames, expose, in_mosaic
from tasks.numerics.simulator.psfs import air_psfs, clean_psfs, exact_ratio, perfect_psf
from tasks.numerics.simulator.scene import COLOURS, SimulatedScene

TURNING_BLOCK = 4
"""Frames for which a sky that changes is drawn once."""
TINTS = ((1.0, 0.8), (0.9, 1.0), (0.65, 1.3))
"""Red, green and blue of a sky of one colour s: weight and exponent, weight x s^exponent."""
GREEN = 1


SkyAt = Callable[[float], NDArray[np.float32]]
"""A sky that changes: its canvas so many seconds after the first frame."""


@dataclass(frozen=True)
class Truth:
    """The turbulence-free sky on the capture's grid, in electrons per frame, (y, x) or (colour, y, x)."""

    sharp: NDArray[np.float32]
    """The sky itself."""
    diffraction: NDArray[np.float32]
    """The sky through the diffraction-limited telescope, with which restorations are compared."""


@dataclass(frozen=True)
class Block:
    """Consecutive frames with their PSFs, shifts and transparency."""

    frames: Frames
    """(frame, y, x) or, of a camera without a mosaic in colour, (frame, colour, y, x) ADU."""
    psfs: NDArray[np.float32]
    """(frame, y, x) or (frame, colour, y, x), sum 1, centred on [size // 2, size // 2]; the turbulence's tilt included,
    the pointing error not."""
    shifts: NDArray[np.float64]
    """(frame, 2) dy, dx in pixels: frame k shows the truth displaced by +dy, +dx (drift and jitter)."""
    transparency: NDArray[np.float64]
    """(frame,) fraction of the light that clouds transmit."""
    times_s: NDArray[np.float64]
    """(frame,) start of the exposure, in seconds."""


def _needed_px(scene: SimulatedScene, psf_px: int) -> int:
    reach = max(abs(scene.drift_px[0]), abs(scene.drift_px[1])) / 2 + 4 * scene.jitter_px
    return max(scene.shape) + psf_px + 2 * int(np.ceil(reach + abs(scene.dispersion_px) / 2))


def canvas_px(scene: SimulatedScene, psf_px: int | None = None) -> int:
    """Width of the sky a scene needs: the frame with margins for PSFs, drift and jitter."""
    return int(fft.next_fast_len(_needed_px(scene, psf_px or scene.psf_px), real=True))


def _pointing(scene: SimulatedScene, n_frames: int) -> NDArray[np.float64]:
    """(frame, 2) dy, dx in pixels against the truth: constant drift, zero in the middle of the capture, and jitter."""
    along = np.linspace(-0.5, 0.5, n_frames) if n_frames > 1 else np.zeros(1)
    jitter = np.clip(scene.stream(1).standard_normal((n_frames, 2)), -4, 4) * scene.jitter_px
    shifts: NDArray[np.float64] = along[:, None] * np.array(scene.drift_px) + jitter
    return shifts


def _transparency(scene: SimulatedScene, n_frames: int) -> NDArray[np.float64]:
    """(frame,) fraction of the light, 1 in the clearest frame, correlated over about a second."""
    if scene.clouds <= 0:
        return np.ones(n_frames)
    wave = gaussian_filter1d(scene.stream(2).standard_normal(n_frames + 1), scene.fps / 2, mode="wrap")[:n_frames]
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


def _crop(canvas: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    return canvas[..., *centred(shape, canvas.shape[-1])]


def tinted(canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    """A sky of one colour (y, x), 0..1, as red, green and blue (colour, y, x): dark features are redder."""
    light = np.clip(canvas, 0.0, None)
    return np.stack([np.float32(weight) * light**exponent for weight, exponent in TINTS]).astype(np.float32)


def _skies(canvas: NDArray[np.float32], scene: SimulatedScene) -> NDArray[np.float64]:
    """The sky (colour, y, x): one for a camera without colours."""
    n = canvas.shape[-1]
    if canvas.ndim not in (2, 3) or canvas.shape[-2] != n or n < max(scene.shape):
        raise ValueError(f"the sky is {canvas.shape}; it must be square and at least {canvas_px(scene)} wide")
    skies = canvas if canvas.ndim == 3 else tinted(canvas) if scene.colours else canvas[None]
    return skies.astype(np.float64)


def _perfect(
    canvas: NDArray[np.float32], scene: SimulatedScene
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128]]:
    """Sky and turbulence-free picture on the frame, and the sky's spectrum, each (colour, ...) in electrons."""
    skies = _skies(canvas, scene)
    n, still = skies.shape[-1], (0.0, 0.0)
    ratios = [exact_ratio(scene, c) for c in range(len(COLOURS))] if scene.colours else [1.0]
    spectra = fft.rfft2(skies)
    blurred = [s * _transfer(perfect_psf(scene, r), n, still) for s, r in zip(spectra, ratios, strict=True)]
    pictures = _crop(fft.irfft2(np.stack(blurred), s=(n, n)), scene.shape)
    if not pictures.max() > 0:
        raise ValueError("the sky is dark inside the frame; give a canvas with light in its middle")
    per_unit = scene.photons_peak / float(pictures.max())
    return _crop(skies, scene.shape) * per_unit, pictures * per_unit, spectra * per_unit


def truth(canvas: NDArray[np.float32], scene: SimulatedScene) -> Truth:
    """The frames of `simulate` without turbulence, dispersion, noise and pointing errors."""
    sharp, pictures, _ = _perfect(canvas, scene)
    shown = slice(None) if scene.colours else 0
    return Truth(sharp[shown].astype(np.float32), pictures[shown].astype(np.float32))


def observe(
    canvas: NDArray[np.float32],
    psfs: Iterable[NDArray[np.float32]],
    scene: SimulatedScene,
    block: int = 32,
    sky_at: SkyAt | None = None,
) -> Iterator[Block]:
    """The capture of a sky through one PSF, (y, x) or (colour, y, x), per frame, `block` at a time, which bounds the memory.

    As many frames as there are PSFs; from an iterator without a length, at most the scene's n_frames. A sky that changes
    is drawn anew for every few frames, as bright as `canvas`.
    """
    block = min(block, TURNING_BLOCK) if sky_at else block
    n_frames = len(psfs) if isinstance(psfs, Sized) else scene.n_frames
    n = canvas.shape[-1]
    _, _, spectra = _perfect(canvas, scene)
    per_unit = float(spectra[0, 0, 0].real) / float(_skies(canvas, scene)[0].sum())
    shifts, dimming, camera = _pointing(scene, n_frames), _transparency(scene, n_frames), scene.stream(3)
    broken = BrokenCamera(scene) if scene.defects else None
    source = iter(psfs)
    for first in range(0, n_frames, block):
        batch = list(islice(source, min(block, n_frames - first)))
        if not batch:
            return
        if sky_at is not None:
            spectra = fft.rfft2(_skies(sky_at((first + len(batch) / 2) / scene.fps), scene)) * per_unit
        used = np.stack(batch)
        if n < _needed_px(scene, used.shape[-1]):
            raise ValueError(
                f"the sky is {n} px wide: for frames of {max(scene.shape)} px and PSFs of {used.shape[-1]} px light would "
                f"wrap around; make it {canvas_px(scene, used.shape[-1])} px or cut the PSFs"
            )
        frames = []
        for k, psf in enumerate(used, start=first):
            light = _light(spectra, psf, (float(shifts[k, 0]), float(shifts[k, 1])), scene)
            frame = expose(light * dimming[k] + scene.background_e, scene, camera)
            frames.append(broken.broken(frame) if broken else frame)
        span = slice(first, first + len(frames))
        yield Block(np.stack(frames), used, shifts[span], dimming[span], np.arange(n_frames)[span] / scene.fps)


def _light(
    spectra: NDArray[np.complex128], psf: NDArray[np.float32], shift: tuple[float, float], scene: SimulatedScene
) -> NDArray[np.float64]:
    """What falls on the sensor in a frame, in electrons: (y, x), or (colour, y, x) of a camera that records three colours."""
    n = spectra.shape[-2]
    seen = []
    for colour, spectrum in enumerate(spectra):
        moved = (shift[0] + dispersed(scene, colour), shift[1])
        own = psf[colour] if psf.ndim == 3 else psf
        light = _crop(fft.irfft2(spectrum * _transfer(own, n, moved), s=(n, n)), scene.shape)
        seen.append(light[:: scene.binning, :: scene.binning])
    if scene.mosaic:
        return in_mosaic(np.stack(seen), scene.mosaic)
    return np.stack(seen) if scene.colours else seen[0]


def dispersed(scene: SimulatedScene, colour: int) -> float:
    """How far a colour stands along y from where green stands, in pixels."""
    return scene.dispersion_px * (GREEN - colour) / 2 if scene.colours else 0.0


def simulate(
    canvas: NDArray[np.float32], scene: SimulatedScene, psfs: NDArray[np.float32] | None = None, block: int = 32
) -> Iterator[Block]:
    """A capture of `canvas` through simulated turbulence, or through recorded star images `psfs` (frame, y, x)."""
    return observe(canvas, air_psfs(scene) if psfs is None else clean_psfs(psfs), scene, block)
