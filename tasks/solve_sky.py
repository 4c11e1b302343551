"""solve_sky: from the PSFs and sums of all frames so far to the sky, its amplitude held to what the seeing allows."""

import contextlib
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs import schema
from configs.schema import Telescope
from storage.declared import Streamed
from storage.product import CaptureProducts, Product
from tasks.numerics.fourier.canvas import centred
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil
from tasks.numerics.psf_models.base import PsfModel
from tasks.numerics.psf_models.rows import PsfRows
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.numerics.seeing.frame_spectra import mean_power_of
from tasks.numerics.sky.amplitude import AmplitudeCorrected, SeeingPower, correct_amplitude, log_mean_power
from tasks.numerics.sky.extended_field import (
    enlarged,
    extended_size,
    resampled_rings,
    solve_extended,
)
from tasks.numerics.sky.finish import fade_border, match_flux, without_negative_light
from tasks.numerics.sky.half_agreement import HalfSums
from tasks.numerics.sky.likelihood import Sums, count_of
from tasks.numerics.sky.rounds import RoundShare, batch_offsets, sum_batches
from tasks.numerics.sky.wiener import floor_of, wiener
from tasks.products.contents import Psfs, Sky
from tasks.products.cutout import Cutout, cutout_of
from tasks.products.extended_canvas import ExtendedCanvas
from tasks.products.half_sums import read_half_sums, read_sampling
from tasks.products.inputs import Inputs, open_inputs
from tasks.products.optics import aperture_of
from tasks.running.out_of_memory import smaller_blocks_on_oom
from tasks.running.step import Work, step

BLOCK, BLOCK_PIXELS = 4, 4 << 20
"""Frames on the extended canvas at a time, and their pixels: more spill the cache and take 1.5 times longer, and of large
frames every one takes a tenth of a gigabyte."""
FADE_EXTENDED, FADE_TAPERED = 30.0, 4.0
"""Steepness of the border's fade into the stack: the outer 3 px of 200 on the extended canvas, 8 px of tapered frames."""
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Opened(Inputs):
    """The open inputs of a sky turn, the same for every channel."""

    psfs: Psfs
    before: Sky | None
    """The sky of the round before."""
    telescope: Telescope
    settings: schema.Sky
    frames: NDArray[np.int64]
    """(row,) every solve of every frame so far."""
    weights: Image
    """(row,) one over how many times the frame was solved."""
    notes: list[str]
    """Receives lines for the report."""


@dataclass(frozen=True)
class ChannelSky:
    """What a sky turn leaves of one channel."""

    sums: HalfSums
    corrected: AmplitudeCorrected
    frame_power: Image
    """(ring,)."""
    misfits: Image
    """(row,)."""
    psfs: PsfRows
    sky: Image
    """(y, x) of the whole frame."""
    tapered: Image
    seeing_over_psfs: NDArray[np.float64] | None
    """(ring,) ln of the seeing's mean |H|^2 over that of the PSFs, at `rings.RINGS`; None for a mosaic's colour."""


@step(version="18")
def solve_sky(
    work: Work, inputs: CaptureProducts, psfs: Product, before: Product, telescope: Telescope, settings: schema.Sky
) -> None:
    """Add the batches to the sums of the round before; leave the sky as this telescope would show it without air."""
    with contextlib.ExitStack() as stack:
        shared = stack.enter_context(open_inputs(work, inputs))
        solved = stack.enter_context(work.open(Psfs, psfs))
        last = stack.enter_context(work.open(Sky, before)) if before.step == Sky.step else None
        frames, weights = _rows(solved, last)
        opened = Opened(
            **vars(shared),
            psfs=solved,
            before=last,
            telescope=telescope,
            settings=settings,
            frames=frames,
            weights=weights,
            notes=[],
        )
        reference = opened.clean.colours.reference
        offsets = _offsets(opened, reference)
        channels = {reference: _channel(opened, reference, offsets, None)}
        for channel in range(len(opened.clean.colours)):
            if channel != reference:
                channels[channel] = _channel(opened, channel, offsets, channels[reference].seeing_over_psfs)
            work.progress(channel + 1, len(opened.clean.colours))
        work.save(_content(opened, [channels[channel] for channel in sorted(channels)]))


def _rows(solved: Psfs, last: Sky | None) -> tuple[NDArray[np.int64], Image]:
    """Frame numbers and weights of every solve so far."""
    frames, weights = solved.frames[:], np.full(len(solved.frames), 1 / solved.starts, np.float32)
    if last is None:
        return frames, weights
    return np.concatenate([last.frames[:], frames]), np.concatenate([last.weights[:], weights])


def _content(opened: Opened, channels: list[ChannelSky]) -> Sky:
    return Sky(
        sky=np.stack([c.sky for c in channels]),
        tapered=np.stack([c.tapered for c in channels]),
        spectrum=np.stack([c.corrected.spectrum.numpy() for c in channels]),
        sky_power=np.stack([c.corrected.sky_power.numpy() for c in channels]),
        samplings=opened.psfs.samplings,
        A=tuple(c.sums.total.power.numpy() for c in channels),
        B=tuple(c.sums.total.cross.numpy() for c in channels),
        A_half=tuple(c.sums.half.power.numpy() for c in channels),
        B_half=tuple(c.sums.half.cross.numpy() for c in channels),
        frame_power=np.stack([c.frame_power for c in channels]),
        noise=np.array([c.sums.noise for c in channels], np.float64),
        shared_noise_fraction=np.array([c.sums.shared_noise_fraction for c in channels], np.float64),
        frames=opened.frames,
        weights=opened.weights,
        misfits=np.stack([c.misfits for c in channels]),
        psfs=tuple(Streamed(c.psfs.shape, np.float32, c.psfs.blocks()) for c in channels),
        model=opened.psfs.model,
        notes=opened.notes,
    )


def _channel(
    opened: Opened, channel: int, offsets: list[tuple[float, float]], tie: NDArray[np.float64] | None
) -> ChannelSky:
    """The sky of one channel: on the tapered canvas for the rounds to come, on the extended one for the picture.

    `tie` is `seeing_over_psfs` of the colour whose phases the others carry: the air that they share.
    """
    cutout = cutout_of(opened.stack, channel)
    aperture = aperture_of(opened.telescope, channel, opened.mean, cutout.size)
    sums, frame_power = _sums(opened, channel, offsets)
    psfs = _psf_rows(opened, channel, offsets, aperture, cutout.size)
    seeing = opened.seeing
    power = mean_power_of(  # each frame once, as in its ring power
        np.unique(opened.frames), seeing.frame_power[channel], float(seeing.noise[channel]), seeing.mean_power[channel]
    )
    weight = opened.settings.air_share
    solved = log_mean_power(sums.total, aperture) if cutout.sampling.is_full else None
    if tie is not None and solved is not None:
        power = np.exp(solved + tie)
    compressed = cutout.noise_curve is not None
    known = SeeingPower(torch.from_numpy(frame_power), power, seeing.log_power_sigma[channel], weight, compressed)
    corrected = correct_amplitude(sums, known, aperture, _on_device(cutout.filter(cutout.size), "cpu"))
    tapered = cutout.from_canvas(corrected.sky.numpy())
    extended = opened.settings.cg_iterations > 0
    sky = _extended(opened, cutout, aperture, psfs, corrected, sums) if extended else tapered
    misfits = opened.psfs.misfits[channel]
    if opened.before is not None:
        misfits = np.concatenate([opened.before.misfits[channel], misfits])
    finished = _finished(sky, cutout, opened.settings)
    seeing_over_psfs = None if solved is None else np.log(np.maximum(power, 1e-9)) - solved
    sky, tapered = cutout.in_frame(finished), cutout.in_frame(tapered)
    return ChannelSky(sums, corrected, frame_power, misfits, psfs, sky, tapered, seeing_over_psfs)


def _offsets(opened: Opened, channel: int) -> list[tuple[float, float]]:
    """By how much each batch's sky must be moved: in the first round batches know of no common sky."""
    power, cross = opened.psfs.A[channel], opened.psfs.B[channel]
    if opened.before is not None:
        return [(0.0, 0.0)] * len(power)
    return batch_offsets(power, cross, float(opened.psfs.noise[channel]), read_sampling(opened.psfs, channel))


def _sums(opened: Opened, channel: int, offsets: list[tuple[float, float]]) -> tuple[HalfSums, Image]:
    """Sums over all rounds, of all frames and of half-set 0; and the mean ring power of the frames."""
    psfs, before, half = opened.psfs, opened.before, opened.psfs.half[:]
    power, cross, weight = psfs.A[channel], psfs.B[channel], float(opened.weights[-1])
    sampling = read_sampling(psfs, channel)
    total, part = (sum_batches(power, cross, offsets, chosen, weight, sampling) for chosen in (half > -1, half == 0))
    frame_power = psfs.frame_power[channel].sum(axis=0) / max(1, len(half))
    noise, shared = float(psfs.noise[channel]), float(psfs.shared_noise_fraction)
    if before is not None:
        old = read_half_sums(before, channel)
        total, part = old.total + total, old.half + part
        share = RoundShare((total.frames - old.total.frames) / total.frames)
        frame_power = share.average_curve(frame_power, before.frame_power[channel])
        noise, shared = share.average(noise, old.noise), share.average(shared, old.shared_noise_fraction)
    return HalfSums(_recounted(total), _recounted(part), shared, noise), np.asarray(frame_power, np.float32)


def _recounted(sums: Sums) -> Sums:
    """The sums with the number of their frames as A at zero frequency says: frames of several starts count once."""
    return replace(sums, frames=count_of(sums.power, sums.sampling))


def _psf_rows(
    opened: Opened, channel: int, offsets: list[tuple[float, float]], aperture: Aperture, size: int
) -> PsfRows:
    psfs, before = opened.psfs, opened.before
    sampling = read_sampling(psfs, channel)
    counts = [count_of(psfs.A[channel][k], sampling) for k in range(len(offsets))]
    old = None if before is None else before.psfs[channel]
    return PsfRows(_model(opened), old, psfs.psfs[channel], counts, offsets, aperture, size)


def _model(opened: Opened) -> PsfModel:
    return PSF_MODELS[opened.psfs.model]


def _extended(
    opened: Opened, cutout: Cutout, aperture: Aperture, psfs: PsfRows, corrected: AmplitudeCorrected, sums: HalfSums
) -> Image:
    """The sky (y, x) from the frames as windows on an extended field, in camera units."""
    device, border = opened.work.device, cutout.border
    height, width = cutout.stack.shape
    size = extended_size(height, width, cutout.in_box.period)
    wide = aperture.on(cutout.size, size)
    d_over_r0 = float(opened.seeing.d_over_r0[cutout.channel])
    canvas = ExtendedCanvas(opened.clean, cutout, opened.frames, opened.weights, psfs, wide, size, d_over_r0, device)

    # Noise and sky power per coefficient grow with the area over which a transform sums: their ratio stays.
    power = np.maximum(resampled_rings(corrected.sky_power, cutout.size, size), 1e-30)
    floor = torch.from_numpy(sums.noise / power).float().to(device)
    sampling = cutout.sampling
    iterations = round(opened.settings.cg_iterations / sampling.density)
    white = _on_device(cutout.filter(size), device)
    metric = None if white is None else white**2
    floor = floor if metric is None else floor * metric
    start = None
    if not sampling.is_full:
        tapered = floor_of(corrected.sky_power, sums.noise, cutout.size)
        start = enlarged(wiener(sums.total, tapered), size).to(device)

    def solve(few: int) -> Tensor:
        passes = partial(canvas.blocks, few), partial(canvas.windows, few)
        return solve_extended(*passes, floor, iterations, sampling.density, start, metric).cpu()

    few = max(1, min(BLOCK, BLOCK_PIXELS // size**2))
    spectrum = smaller_blocks_on_oom(few, solve, opened.notes.append)
    gain = torch.from_numpy(resampled_rings(corrected.gain, cutout.size, size)).float()
    spectrum = spectrum * diffraction_otf(make_pupil(size, wide, 3)) * gain
    sky = torch.fft.irfft2(spectrum, s=(size, size))[centred(cutout.stack.shape, size)] + border
    return np.asarray(sky.numpy(), np.float32)


def _on_device(array: Image | None, device: str) -> Tensor | None:
    return None if array is None else torch.from_numpy(array).to(device)


def _finished(sky: Image, cutout: Cutout, settings: schema.Sky) -> Image:
    """The picture: without negative light if asked for, its border the stack's, its light the stack's."""
    if settings.prior == "positive":
        sky = without_negative_light(sky, cutout.background)
    steepness = FADE_EXTENDED if settings.cg_iterations else FADE_TAPERED
    sky = fade_border(sky, cutout.stack, cutout.inside(), steepness)
    return match_flux(sky, cutout.stack, cutout.background)
