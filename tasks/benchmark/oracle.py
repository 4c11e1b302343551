"""The oracle: what the same sky step makes of a simulated capture when every true PSF is known; and how near ours came."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.captures.capture import Capture
from storage.errors import Hopeless
from storage.product import Product, Scene
from storage.results.truth import TruePsfs, true_psfs
from storage.store import Store
from tasks.numerics.fourier.shifts import split
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.numerics.simulator.known_psfs import known_transfer, psf_rms_error
from tasks.numerics.sky.extended_field import extended_size
from tasks.numerics.sky.likelihood import sums
from tasks.numerics.sky.wiener import corner_noise, ring_power_of_frames
from tasks.products.clean_frames import Prepared, prepared
from tasks.products.cutout import Field, field_of
from tasks.products.optics import aperture_of, cutoff_cpp
from tasks.running.step import Work, step

BLOCK = 16
"""Frames at a time."""
MODEL = "freeform"
"""True PSFs travel as pixels."""


@step(version="3")
def known_psfs(work: Work, scene: Scene, truth: Capture, telescope: Telescope) -> None:
    """Leave what `solve_psfs` leaves, with the true PSFs of `truth` in the place of solved ones."""
    with contextlib.ExitStack() as stack:
        clean = stack.enter_context(prepared(work, scene.frames, scene.mean))
        stacked, average = (stack.enter_context(work.open(p)) for p in (scene.first, scene.mean))
        known = stack.enter_context(true_psfs(truth.path))
        if known.shape[0] != len(clean.noise):
            raise Hopeless(
                f"{truth.path} holds {known.shape[0]} PSFs, the capture {len(clean.noise)} frames: they do not belong "
                f"together; simulate the capture again"
            )
        chosen = stacked["order"][:]
        file = stack.enter_context(work.create())
        for channel in range(clean.stack.shape[1]):
            field = field_of(stacked, channel)
            cutoff = min(cutoff_cpp(telescope, channel, average), 0.5)
            _channel(clean, field, known, chosen, file.create_group(f"channel{channel}"), cutoff)
            work.progress(channel + 1, clean.stack.shape[1])
        file["frames"], file["half"] = chosen, np.zeros(1, np.int8)
        file.attrs["model"], file.attrs["starts"], file.attrs["shared"] = MODEL, 1, 0.0


def psf_error(store: Store, line: list[Product], telescope: Telescope, truth: Path) -> float | None:
    """Relative rms error of a solve's PSFs against the true ones: the median over frames, of channel 0.

    None where `truth` is of another number of frames. A blur that all PSFs share and the sky lacks counts as error.
    """
    last = {product.step: product for product in line}
    with contextlib.ExitStack() as stack:
        names = ("solve_sky", "solve_psfs", "shift_average", "seeing", "average")
        sky, solved, stacked, seen, average = (stack.enter_context(store.open(last[name])) for name in names)
        known = stack.enter_context(true_psfs(truth))
        size = field_of(stacked, 0).size
        aperture = aperture_of(telescope, 0, average, size)
        frames, psfs = sky["frames"][:], sky["psfs0"]
        if known.shape[0] != len(stacked["shifts"]):
            return None
        model, strength = str(solved.attrs["model"]), float(seen["channel0"].attrs["d_over_r0"])
        errors = []
        for start in range(0, len(frames), BLOCK):
            part = slice(start, start + BLOCK)
            found = PSF_MODELS[model].transfer_functions(torch.from_numpy(psfs[part]), aperture, size, strength)
            still = np.zeros((len(found), 2))
            errors.append(psf_rms_error(found, known_transfer(known.take(frames[part]), still, known.pixel_fill, size)))
    return float(np.median(np.concatenate(errors)))


def _channel(
    clean: Prepared, field: Field, known: TruePsfs, chosen: NDArray[np.int64], group: Any, cutoff: float
) -> None:
    """Sums A and B of one channel, and its PSFs on the canvas that the sky step wants."""
    moves = _moves(field, known, chosen)
    wide = extended_size(*field.stack.shape)
    total, light, noises = [], [], []
    group.create_dataset("psfs", (len(chosen), wide, wide), np.float32)
    for start in range(0, len(chosen), BLOCK):
        part = slice(start, start + BLOCK)
        spectra = torch.fft.rfft2(torch.from_numpy(field.frames(clean, chosen[part])))
        true = known.take(chosen[part])
        transfer = known_transfer(true, moves[part], known.pixel_fill, field.size)
        total.append(sums(spectra, transfer))
        light.append(len(spectra) / len(chosen) * ring_power_of_frames(spectra))
        noises.append(corner_noise(spectra, cutoff))
        there = known_transfer(true, moves[part], known.pixel_fill, wide)
        group["psfs"][part] = torch.fft.irfft2(there, s=(wide, wide)).numpy()
    group["A"] = sum(part.power for part in total).numpy()[None]  # type: ignore[union-attr]
    group["B"] = sum(part.cross for part in total).numpy()[None]  # type: ignore[union-attr]
    group["light"] = sum(light).numpy()[None]  # type: ignore[union-attr]
    group["misfits"] = np.ones(len(chosen), np.float32)
    group.attrs["noise"] = float(np.median(noises))


def _moves(field: Field, known: TruePsfs, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where (frame, 2) px the frames as they are laid show the sky, the sky being where the stack shows it."""
    whole, _ = split(field.shifts[chosen])
    pointing = known.pointing[chosen]
    return np.asarray(pointing - whole - (pointing - field.shifts[chosen]).mean(axis=0))
