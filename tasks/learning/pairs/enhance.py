"""Pairs for enhance: pictures as stacks and solves leave them, Richardson-Lucy with a PSF that is somewhat wrong, the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from configs.training import Examples
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.judging import decibels_of, example_by_example
from tasks.learning.pairs.sequences import log_uniform, transfer_of
from tasks.numerics.finishing.inverse_filters import inverse_filtered
from tasks.numerics.finishing.point_sources import new_sources
from tasks.numerics.finishing.richardson_lucy import deconvolved, reblurred_chi2, same_light
from tasks.numerics.finishing.transfer import Transfer
from tasks.numerics.networks.enhance import given
from tasks.numerics.simulator.observe import canvas_px
from tasks.numerics.simulator.psfs import air_psfs, perfect_psf
from tasks.numerics.simulator.scene import SimulatedScene
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]
CURVE = 64
"""Samples of a transfer curve from 0 to 0.5 cycles per pixel."""
FREQUENCIES = np.linspace(0.0, 0.5, CURVE)
PSF_ERROR = 0.08
"""Relative error (rms) of the assumed width of the transfer function, as the product's own solve leaves it."""
ITERATIONS = 10
INNER = (slice(8, -8), slice(8, -8))
"""What of a picture is compared."""
CONSISTENT_CHI2 = 1.1
"""A picture blurred again that is nearer than this to the one it came from agrees with it; the truth itself has one."""


def simulate(family: str, seeds: tuple[int, int], settings: Examples) -> Pairs:
    """Pictures of one sky: stacks through the air of this seed, and solved skies."""
    rng, air, size = np.random.default_rng([seeds[1], 1]), settings.air, settings.size_px
    scene = SimulatedScene(
        n_frames=16, size_px=size, psf_px=96, n_subexposures=2, seed=seeds[1],
        aperture_cells=float(rng.uniform(*air.aperture_cells)), obstruction=float(rng.uniform(*air.obstruction)),
    )  # fmt: skip
    canvas = canvas_px(scene)
    sky = TARGETS[family](canvas, np.random.default_rng([seeds[0], 0]))
    spectrum = fft.rfft2(sky)
    telescope = transfer_of(perfect_psf(scene), canvas)
    truth = _cropped(spectrum * telescope, canvas, size)
    peak = float(truth.max())
    found = []
    for number in range(settings.pictures):
        changed = replace(scene, seed=seeds[1] * 100 + number, d_over_r0=float(rng.uniform(*air.d_over_r0)))
        kept = _of_stack(changed, canvas, telescope, rng) if number % 2 == 0 else _of_solve(canvas, telescope, rng)
        sigma = log_uniform(rng, air.noise)
        noise = rng.standard_normal((canvas, canvas))
        if number % 2:
            noise = _shaped(noise, kept, telescope)
        picture = _cropped(spectrum * kept, canvas, size) / peak + sigma * noise[:size, :size].astype(np.float32)
        curves = _curve(telescope), _stretched(_curve(kept), 1 + PSF_ERROR * float(rng.standard_normal()))
        found.append(_pair(picture.astype(np.float32), truth / peak, sigma, curves, seeds))
    return joined(found)


def _pair(picture: Image, truth: Image, sigma: float, curves: tuple[Image, Image], seeds: tuple[int, int]) -> Pairs:
    transfer = Transfer(FREQUENCIES, *(np.asarray(curve, np.float64) for curve in curves))
    error = np.full_like(picture, sigma)
    classical = deconvolved(picture, transfer, error, 0.0, ITERATIONS).picture
    filtered = inverse_filtered(picture, transfer, error, 0.0)
    own = given(picture, classical, error, filtered, transfer.fwhm_px, 0.0)
    return Pairs(
        inputs=own.inputs[None],
        classical=own.classical[None],
        truth=own.light.of(truth)[None, None],
        weight=np.ones((1, 1, *picture.shape), np.float32),
        conditions=np.array([own.conditions], np.float32),
        facts=np.concatenate([[sigma / own.light.scale], *curves]).astype(np.float32)[None],
        seeds=np.array([seeds]),
    )


def domain(pairs: Pairs) -> dict[str, Image]:
    """The range in which a model may be used: the PSF's width, and the standard error over the brightest pixel."""
    return {"fwhm_px": 4 * (pairs.conditions[:, 0] + 1), "relative_sigma": pairs.facts[:, 0]}


def finished(pairs: Pairs, answers: Image, number: int) -> Image:
    """The answer (y, x) as the step shows it: with the light of the picture."""
    return same_light(answers[number, 0], pairs.inputs[number, 0], 0.0)


@example_by_example
def judged(pairs: Pairs, answers: Image, number: int) -> dict[str, float]:
    """dB of the classical and of the learned answer, and the checks that need no truth of both."""
    picture, classical = pairs.inputs[number, 0], pairs.classical[number, 0]
    truth, learned = pairs.truth[number, 0], finished(pairs, answers, number)
    sigma, curves = float(pairs.facts[number, 0]), pairs.facts[number, 1:].astype(np.float64).reshape(2, CURVE)
    transfer, error = Transfer(FREQUENCIES, curves[0], curves[1]), np.full_like(picture, sigma)
    classical_db, learned_db = _db(truth, classical), _db(truth, learned)
    chi2 = [reblurred_chi2(each, picture, transfer, error) for each in (classical, learned)]
    invented = [_invented(each, truth, picture, sigma) for each in (classical, learned)]
    return {
        "gain": learned_db - classical_db,
        "picture_db": _db(truth, picture),
        "classical_db": classical_db,
        "learned_db": learned_db,
        "classical_chi2": chi2[0],
        "learned_chi2": chi2[1],
        "chi2_excess": max(chi2[1] - max(chi2[0], CONSISTENT_CHI2), 0.0),
        "light_error": abs(float(learned.sum(dtype=np.float64) / picture.sum(dtype=np.float64)) - 1),
        "new_sources": float(invented[1]),
        "new_sources_excess": float(max(invented[1] - invented[0], 0)),
    }


def _invented(result: Image, truth: Image, picture: Image, sigma: float) -> int:
    """Point-like sources that neither the picture nor the truth shows."""
    return min(new_sources(result, picture, sigma), new_sources(result, truth, sigma))


def _db(truth: Image, picture: Image) -> float:
    """Without the border, where what lies outside is not known; skies start at zero."""
    return decibels_of(float(np.mean((truth - picture)[INNER] ** 2, dtype=np.float64)), float(truth.max()))


def _of_stack(
    scene: SimulatedScene, canvas: int, telescope: NDArray[np.complex128], rng: np.random.Generator
) -> NDArray[np.complex128]:
    """Mean transfer of frames registered by their centres of light, with what registration leaves."""
    total = np.zeros_like(telescope)
    fy, fx = np.fft.fftfreq(canvas)[:, None], np.fft.rfftfreq(canvas)[None]
    for psf in air_psfs(scene):
        centre = ndimage.center_of_mass(psf**2)
        move = [float(c) - n // 2 + 0.15 * rng.standard_normal() for c, n in zip(centre, psf.shape, strict=True)]
        total += transfer_of(psf, canvas) * np.exp(2j * np.pi * (fy * move[0] + fx * move[1]))
    return total / scene.n_frames


def _of_solve(canvas: int, telescope: NDArray[np.complex128], rng: np.random.Generator) -> NDArray[np.complex128]:
    """Transfer of a solved sky: the telescope's, held back from some fraction of its cut-off on."""
    radius = np.hypot(np.fft.fftfreq(canvas)[:, None], np.fft.rfftfreq(canvas)[None])
    cutoff = float(radius[np.abs(telescope) > 1e-3].max())
    edge, steep = rng.uniform(0.2, 0.7) * cutoff, rng.uniform(2, 5)
    return telescope / (1 + (radius / edge) ** steep)


def _shaped(
    noise: NDArray[np.float64], kept: NDArray[np.complex128], telescope: NDArray[np.complex128]
) -> NDArray[np.float64]:
    """Noise of a solved sky: held back where the solve holds the light back."""
    filtered = fft.rfft2(noise) * np.abs(kept / np.where(np.abs(telescope) > 1e-3, telescope, 1))
    shaped = fft.irfft2(filtered, s=noise.shape)
    return np.asarray(shaped / shaped.std())


def _curve(transfer: NDArray[np.complex128]) -> Image:
    """Mean over rings, real part, at `FREQUENCIES`."""
    n = len(transfer)
    radius = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None])
    ring = np.rint(radius * 2 * (CURVE - 1)).astype(int).ravel()
    total = np.bincount(ring, transfer.real.ravel(), CURVE)[:CURVE]
    count = np.bincount(ring, minlength=CURVE)[:CURVE]
    curve = np.maximum(total / np.maximum(count, 1), 0.0)
    return np.asarray(curve / curve[0], np.float32)


def _stretched(curve: Image, factor: float) -> Image:
    return np.interp(FREQUENCIES * factor, FREQUENCIES, curve, right=0.0).astype(np.float32)


def _cropped(spectrum: NDArray[np.complex128], canvas: int, size: int) -> Image:
    edge = (canvas - size) // 2
    return fft.irfft2(spectrum, s=(canvas, canvas))[edge : edge + size, edge : edge + size].astype(np.float32)
