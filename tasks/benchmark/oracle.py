"""The oracle: the sky of the same sky step when every true PSF is known; and the error of the solved PSFs."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.captures.capture import Capture
from storage.errors import Hopeless
from storage.lineage import lineage
from storage.product import CaptureProducts, Product
from storage.results.truth import TruePsfs, true_psfs
from storage.store import Store
from tasks.numerics.fourier.shifts import split
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.numerics.simulator.known_psfs import known_transfer, psf_rms_error
from tasks.numerics.sky.extended_field import extended_size
from tasks.numerics.sky.likelihood import Sums, sums
from tasks.numerics.sky.wiener import ring_power_of_frames
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Mean, Psfs, Seeing, Sky, Stack
from tasks.products.cutout import Cutout, cutout_of
from tasks.products.half_sums import plain_sampling
from tasks.products.optics import aperture_of, cutoff_cpp
from tasks.running.step import Work, step

BLOCK = 16
"""Frames at a time."""
MODEL = "freeform"
"""True PSFs are given as pixels."""


@dataclass(frozen=True)
class KnownChannel:
    """What the true PSFs say of one channel."""

    sums: Sums
    frame_power: NDArray[np.float32]
    """(ring,) mean |Y|^2 of the frames."""
    psfs: NDArray[np.float32]
    """(frame, y, x) on the extended canvas."""
    noise: float
    """Per coefficient."""


@step(version="5")
def known_psfs(work: Work, inputs: CaptureProducts, truth: Capture, telescope: Telescope) -> None:
    """Leave what `solve_psfs` leaves, with the true PSFs of `truth` in the place of solved ones."""
    with contextlib.ExitStack() as stack:
        clean = stack.enter_context(open_clean_frames(work, inputs.frames))
        opened_stack = stack.enter_context(work.open(Stack, inputs.stack))
        mean = stack.enter_context(work.open(Mean, inputs.mean))
        known = stack.enter_context(true_psfs(truth.path))
        if known.shape[0] != len(clean.noise):
            raise Hopeless(
                f"{truth.path} holds {known.shape[0]} PSFs, the capture {len(clean.noise)} frames: they do not belong "
                f"together; simulate the capture again"
            )
        if _grid_of(known) != opened_stack.scale:
            raise Hopeless(
                f"{truth.path}: its PSFs have {_grid_of(known)} pixels for one of the camera's, the sky {opened_stack.scale}; "
                f"restore with sky.scale = {_grid_of(known)}"
            )
        chosen = opened_stack.order[:]
        channels = []
        for channel in range(len(clean.colours)):
            cutout = cutout_of(opened_stack, channel)
            channels.append(_channel(clean, cutout, known, chosen, cutoff_cpp(telescope, channel, mean)))
            work.progress(channel + 1, len(clean.colours))
        work.save(_content(chosen, channels))


def _content(chosen: NDArray[np.int64], channels: list[KnownChannel]) -> Psfs:
    """The product of one batch that holds all frames."""
    return Psfs(
        frames=chosen,
        half=np.zeros(1, np.int8),
        psfs=tuple(c.psfs for c in channels),
        samplings=[plain_sampling(c.sums.sampling) for c in channels],
        A=tuple(c.sums.power.numpy()[None] for c in channels),
        B=tuple(c.sums.cross.numpy()[None] for c in channels),
        frame_power=np.stack([c.frame_power for c in channels])[:, None],
        misfits=np.ones((len(channels), len(chosen)), np.float32),
        loss=np.zeros((1, 0)),
        loss_steps=np.zeros(0, np.int64),
        noise=np.array([c.noise for c in channels], np.float64),
        model=MODEL,
        starts=1,
        shared_noise_fraction=0.0,
        notes=[],
    )


def psf_error(store: Store, result: Product, telescope: Telescope, truth: Path) -> float | None:
    """Relative rms error of a solve's PSFs against the true ones: the median over frames, of channel 0.

    None where `truth` is of other frames or another grid. A blur that all PSFs share and the sky lacks counts as error.
    """
    last = {product.step: product for product in lineage(store, result)}
    with contextlib.ExitStack() as stack:
        sky = stack.enter_context(store.view(Sky, last[Sky.step]))
        opened_stack = stack.enter_context(store.view(Stack, last[Stack.step]))
        seeing = stack.enter_context(store.view(Seeing, last[Seeing.step]))
        mean = stack.enter_context(store.view(Mean, last[Mean.step]))
        known = stack.enter_context(true_psfs(truth))
        size = cutout_of(opened_stack, 0).size
        aperture = aperture_of(telescope, 0, mean, size)
        frames, psfs = sky.frames[:], sky.psfs[0]
        if known.shape[0] != len(opened_stack.shifts) or _grid_of(known) != opened_stack.scale:
            return None
        model, d_over_r0 = PSF_MODELS[sky.model], float(seeing.d_over_r0[0])
        errors = []
        for start in range(0, len(frames), BLOCK):
            part = slice(start, start + BLOCK)
            found = model.transfer_functions(torch.from_numpy(psfs[part]), aperture, size, d_over_r0)
            still = np.zeros((len(found), 2))
            errors.append(psf_rms_error(found, known_transfer(known.take(frames[part]), still, known.pixel_fill, size)))
    return float(np.median(np.concatenate(errors)))


def _grid_of(known: TruePsfs) -> int:
    """Pixels of the PSFs' grid for one of the camera's: they are as wide as the pixel that blurs them."""
    return max(1, round(known.pixel_fill))


def _channel(
    clean: CleanFrames, cutout: Cutout, known: TruePsfs, chosen: NDArray[np.int64], cutoff: float
) -> KnownChannel:
    """Sums A and B of one channel, and its PSFs on the canvas that the sky step wants."""
    moves = _moves(cutout, known, chosen)
    wide = extended_size(cutout.stack.shape[0], cutout.stack.shape[1], cutout.in_box.period)
    total: Sums | None = None
    powers, noises, psfs = [], [], []
    for start in range(0, len(chosen), BLOCK):
        part = slice(start, start + BLOCK)
        spectra = torch.fft.rfft2(torch.from_numpy(cutout.frames(clean, chosen[part])))
        true = known.take(chosen[part])
        transfer = known_transfer(true, moves[part], known.pixel_fill, cutout.size)
        own = sums(spectra, transfer, cutout.sampling)
        total = own if total is None else total + own
        noises.append(cutout.noise_of(spectra, cutoff))
        powers.append(len(spectra) / len(chosen) * ring_power_of_frames(spectra, noises[-1], cutout.sampling))
        there = known_transfer(true, moves[part], known.pixel_fill, wide)
        psfs.append(torch.fft.irfft2(there, s=(wide, wide)).numpy())
    assert total is not None
    power = torch.stack(powers).sum(0).numpy()
    return KnownChannel(total, power, np.concatenate(psfs), float(np.median(noises)))


def _moves(cutout: Cutout, known: TruePsfs, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where (frame, 2) px the frames on the canvas show the sky, the sky being where the stack shows it."""
    whole, _ = split(cutout.shifts[chosen], cutout.in_box.period)
    pointing = known.pointing[chosen]
    return np.asarray(pointing - whole - (pointing - cutout.shifts[chosen]).mean(axis=0))
