"""solve_sky: from the PSFs and sums of all frames so far to the sky, its amplitude held to what the air allows."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.schema import Sky, Telescope
from storage.product import Product, Scene
from tasks.numerics.fourier.canvas import centred
from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.numerics.sky.amplitude import AmplitudeCorrected, SeeingPower, batch_sky, correct_amplitude, sky_offset
from tasks.numerics.sky.extended_field import extended_size, paste, resampled_rings, solve_extended
from tasks.numerics.sky.half_agreement import HalfSums
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import positive
from tasks.products.clean_frames import Prepared, prepared
from tasks.products.cutout import Field, field_of
from tasks.products.optics import aperture_of
from tasks.running.out_of_memory import in_blocks
from tasks.running.step import Work, step

BLOCK = 16
"""Frames on the wide canvas at a time."""
ROWS = 256
"""PSFs that are copied at a time."""

Moves = list[tuple[float, float]]
"""(dy, dx) px of each batch."""
Rows = dict[str, NDArray[Any]]
"""What a channel leaves: named arrays."""


@dataclass(frozen=True)
class Turn:
    """One channel of a sky turn."""

    work: Work
    clean: Prepared
    field: Field
    aperture: Aperture
    """The telescope's, on the canvas."""
    d_over_r0: float
    """Strength of the air."""
    frames: NDArray[np.int64]
    weights: NDArray[np.float32]
    """(frame,) one over how many times the frame was solved."""
    model: str
    settings: Sky
    notes: list[str]
    """Receives what the report is to tell."""


@step(version="12")
def solve_sky(work: Work, scene: Scene, psfs: Product, before: Product, telescope: Telescope, settings: Sky) -> None:
    """Sum the batches onto the sums of the round before; leave the sky as this telescope would show it without air."""
    with contextlib.ExitStack() as stack:
        clean = stack.enter_context(prepared(work, scene.frames, scene.mean))
        opened = (scene.mean, scene.first, scene.air, psfs)
        average, stacked, seen, solved = (stack.enter_context(work.open(p)) for p in opened)
        last = stack.enter_context(work.open(before)) if before.step == "solve_sky" else None
        frames, fresh = solved["frames"][:], np.full(len(solved["frames"]), 1 / solved.attrs["starts"], np.float32)
        weights = fresh
        if last is not None:
            frames, weights = (
                np.concatenate([last[name][:], new]) for name, new in (("frames", frames), ("weights", fresh))
            )
        channels, notes = [], list[str]()
        file = stack.enter_context(work.create())
        for channel in range(len(stacked["stack"])):
            field = field_of(stacked, channel)
            aperture = aperture_of(telescope, channel, average, field.size)
            air, model = seen[f"channel{channel}"], str(solved.attrs["model"])
            strength = float(air.attrs["d_over_r0"])
            turn = Turn(work, clean, field, aperture, strength, frames, weights, model, settings, notes)
            channels.append(_channel(turn, solved, last, air, file))
            work.progress(channel + 1, len(stacked["stack"]))
        file["frames"], file["weights"], file.attrs["notes"] = frames, weights, json.dumps(notes)
        for name in channels[0]:
            file[name] = np.stack([rows[name] for rows in channels])


def _channel(turn: Turn, solved: Any, last: Any, seen: Any, file: Any) -> Rows:
    """The sky of one channel: on the tapered canvas for the rounds to come, on the wide one for the eye.

    The parameters of the PSFs go into `file` at once.
    """
    field, channel = turn.field, turn.field.channel
    group, half = solved[f"channel{channel}"], solved["half"][:]
    noise = float(group.attrs["noise"]) if len(half) else 0.0
    moves = _moves(group, noise, last is None)
    sums, part = (
        _summed(turn, group, last, tail, moves, chosen) for tail, chosen in (("", half > -1), ("_half", half == 0))
    )
    before = float(last["A"][channel, 0, 0]) if last is not None else 0.0
    fresh, light = (sums.frames - before) / sums.frames, group["light"][:].sum(axis=0) / max(1, len(half))
    shared = fresh * float(solved.attrs["shared"])
    if last is not None:
        shared = shared + (1 - fresh) * float(last["shared"][channel])
        light = fresh * light + (1 - fresh) * last["light"][channel]
        noise = fresh * noise + (1 - fresh) * float(last["noise"][channel])
    psfs = _placed(group, last, moves, turn, file)
    found = HalfSums(sums, part, shared, noise)
    power = _mean_power(seen, np.unique(turn.frames))  # each once, as in the light
    air = SeeingPower(torch.from_numpy(np.float32(light)), power, seen["spread"][:], turn.settings.air_share)
    whole = correct_amplitude(found, air, turn.aperture)
    tapered = field.back(whole.sky.numpy())
    sky = _wide(turn, psfs, whole, noise) if turn.settings.border_turns > 0 else tapered
    return {
        "A": sums.power.numpy(),
        "B": sums.cross.numpy(),
        "A_half": part.power.numpy(),
        "B_half": part.cross.numpy(),
        "shared": np.array(shared),
        "light": np.asarray(light, np.float32),
        "spectrum": whole.spectrum.numpy(),
        "sky_power": whole.sky_power.numpy(),
        "noise": np.array(noise),
        "misfits": np.append([] if last is None else last["misfits"][channel], group["misfits"][:]),
        "sky": field.embedded(_finished(turn, sky)),
        "tapered": field.embedded(tapered),
    }


def _wide(turn: Turn, psfs: Any, whole: AmplitudeCorrected, noise: float) -> NDArray[np.float32]:
    """The sky (y, x) from the frames as windows on a wider canvas, in camera units."""
    field, device = turn.field, turn.work.device
    height, width = field.stack.shape
    size = extended_size(height, width)
    aperture = turn.aperture.on(field.size, size)
    level, model = field.level, PSF_MODELS[turn.model]

    def blocks(few: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for start in range(0, len(turn.frames), few):
            part = slice(start, start + few)
            frames, whole = field.even(turn.clean, turn.frames[part])
            light, mask = paste(frames - np.float32(level), whole, size)
            transfer = model.transfer_functions(torch.from_numpy(psfs[part]), aperture, size, turn.d_over_r0)
            share = torch.from_numpy(np.sqrt(turn.weights[part]))[:, None, None]
            yield (share * light).to(device), mask.to(device), (share * transfer).to(device)

    # Noise and sky power per coefficient grow with the area over which a transform sums: their ratio stays.
    sky_power, gain = (resampled_rings(curve, field.size, size) for curve in (whole.sky_power, whole.gain))
    floor = torch.from_numpy(noise / np.maximum(sky_power, 1e-30)).float().to(device)
    turns = turn.settings.border_turns
    spectrum = in_blocks(BLOCK, lambda few: solve_extended(partial(blocks, few), floor, turns).cpu(), turn.notes.append)
    spectrum = spectrum * diffraction_otf(make_pupil(size, aperture, 3)) * torch.from_numpy(gain).float()
    sky = torch.fft.irfft2(spectrum, s=(size, size))[centred((height, width), size)] + level
    return np.asarray(sky.numpy(), np.float32)


def _finished(turn: Turn, sky: NDArray[np.float32]) -> NDArray[np.float32]:
    """The last few pixels at the border, where little is known, fade into the stack; the light is the stack's."""
    field = turn.field
    if turn.settings.prior == "positive":
        sky = np.asarray(positive(torch.from_numpy(sky) - field.dark).numpy() + field.dark, np.float32)
    known = 30 if turn.settings.border_turns else 4  # the outer 3 px of 200 on the wide canvas; on tapered frames 8
    certain = np.minimum(1, known * field.inside())
    sky = np.asarray(certain * sky + (1 - certain) * field.stack, np.float32)
    light, wanted = float((sky - field.dark).sum()), float((field.stack - field.dark).sum())
    gain = wanted / light if light > 0 and wanted > 0 else 1.0
    return np.asarray((sky - field.dark) * gain + field.dark, np.float32)


def _summed(turn: Turn, group: Any, last: Any, tail: str, moves: Moves, chosen: NDArray[np.bool_]) -> Sums:
    """A and B over the chosen batches, each moved to where the first one has the sky, and over the rounds before.

    One batch is in memory at a time.
    """
    size, channel = turn.field.size, turn.field.channel
    power, cross = np.zeros((size, size // 2 + 1), np.float32), np.zeros((size, size // 2 + 1), np.complex64)
    if last is not None:
        power, cross = last[f"A{tail}"][channel], last[f"B{tail}"][channel]
    for number in np.flatnonzero(chosen):
        weight, move = turn.weights[-1], phase_ramp((size, size), np.array(moves[number], np.float32))
        power = power + weight * group["A"][number]
        cross = cross + weight * group["B"][number] * move
    return Sums(torch.from_numpy(power), torch.from_numpy(cross), round(float(power[0, 0])))


def _moves(group: Any, noise: float, alone: bool) -> Moves:
    """By how much (dy, dx) px each batch's sky must move onto the first one's: batches solved `alone` do not agree on it."""
    if not alone or len(group["A"]) < 2:
        return [(0.0, 0.0)] * len(group["A"])
    first = batch_sky(group["A"][0], group["B"][0], noise)
    others = (batch_sky(group["A"][k], group["B"][k], noise) for k in range(1, len(group["A"])))
    return [(0.0, 0.0), *(sky_offset(first, other) for other in others)]


def _placed(group: Any, last: Any, moves: Moves, turn: Turn, file: Any) -> Any:
    """The parameters of all PSFs so far, the new ones moved with the sky of their batch, as an array of the open product.

    They are copied in blocks: of many frames and modes, or of PSFs that are pixels, they would not fit into memory.
    """
    name = f"psfs{turn.field.channel}"
    old: Any = last[name] if last is not None else group["psfs"][:0]
    psfs = file.create_dataset(name, (len(turn.frames), *old.shape[1:]), np.float32)
    first = row = len(old)
    model = PSF_MODELS[turn.model]
    for start in range(0, first, ROWS):
        psfs[start : min(start + ROWS, first)] = old[start : start + ROWS]
    for number, (dy, dx) in enumerate(moves):
        count = round(float(group["A"][number, 0, 0]))
        found = group["psfs"][row - first : row - first + count]
        if dy or dx:
            found = model.shifted(torch.from_numpy(found), (-dy, -dx), turn.aperture, turn.field.size).numpy()
        psfs[row : row + count] = found
        row += count
    return psfs


def _mean_power(group: Any, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """<|H|^2> (ring,) of these frames: the air's over all frames, times how much more power these show. Sky-free."""
    everything, noise = group["frame_power"][:], float(group.attrs["noise"])
    seen = np.nanmean(everything, axis=0) - noise
    these = np.nanmean(everything[frames], axis=0) - noise
    good = (seen > 0.5 * noise) & (these > 0.25 * noise)
    good[:2] = False
    rings = np.arange(len(seen))
    ratio = np.interp(rings, np.append(0, rings[good]), np.append(1.0, these[good] / seen[good]))
    return np.asarray(group["mean_power"][:] * ratio)
