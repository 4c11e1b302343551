"""solve_psfs: the PSF of every frame of a round, batch by batch; a journal of parts lets a killed round go on."""

import contextlib
import functools
import itertools
import json
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Psfs, Telescope
from storage.errors import StoreError
from storage.product import Product, Scene
from tasks.numerics.fourier.rings import rings
from tasks.numerics.psf_models.base import Batch, Memory, Plan, Solved
from tasks.numerics.psf_models.table import PSF_MODELS, misfits
from tasks.numerics.sky.likelihood import Sums, loss_of
from tasks.numerics.sky.wiener import corner_noise, floor_of, ring_power, ring_power_of_frames
from tasks.products.clean_frames import prepared
from tasks.products.cutout import Field, field_of
from tasks.products.half_sums import halves_in
from tasks.products.optics import aperture_of, most_modes
from tasks.running.dask_jobs import spread
from tasks.running.out_of_memory import in_halves
from tasks.running.step import Work, step

SEGMENT = 50
"""Gradient steps between two part files: the most that a kill can cost."""
PIECE = 10**9
"""Between the numbers of parts that a batch and its halves leave: more than all batches have together."""
SUMS = {"A": np.float32, "B": np.complex64}
"""The sums of a batch, (batch, y, x//2+1) each."""


@dataclass(frozen=True)
class Job:
    """One batch of frames of one channel: all that it takes to solve it wherever the store is seen."""

    scene: Scene
    sky: Product
    telescope: Telescope
    settings: Psfs
    channel: int
    frames: NDArray[np.int64]
    half: int
    """0 or 1: batches of one half never learn of the other's sky, so that the two can be compared."""
    first_part: int
    """Number of its first part: one for each segment, then one for the result."""

    @property
    def result(self) -> int:
        """Number of the part that holds the result."""
        return self.first_part + math.ceil(self.settings.steps / SEGMENT)


@dataclass(frozen=True)
class Piece:
    """What came of a batch, or of a part of it where memory did not hold the whole."""

    solved: Solved
    noise: float
    """Per coefficient."""
    light: NDArray[np.float32]
    """(ring,) mean |Y|^2 of the frames."""
    misfits: NDArray[np.float32]
    """(frame,) what the sky leaves unexplained of each frame, over the noise."""
    losses: list[float]
    """At the end of every segment."""


@step(version="9")
def solve_psfs(work: Work, scene: Scene, sky: Product, telescope: Telescope, settings: Psfs) -> None:
    """Fit the PSFs of the chosen frames that have none yet; leave their parameters and the sums A, B of each batch."""
    with work.open(scene.first) as stacked, work.open(sky) as before:
        channels, order, size = len(stacked["stack"]), stacked["order"][:], field_of(stacked, 0).size
        chosen = order[: settings.frames] if settings.frames else order
        later = sky.step == "solve_sky"
        todo = chosen[~np.isin(chosen, before["frames"][:])] if later else chosen
        halves = 1 if later and halves_in(before, 0).single_solve else 2  # what one sky begot has no other half
    batches, starts = _batches(todo, settings, halves, not later)
    numbered = enumerate(itertools.product(range(channels), batches))
    jobs = [Job(scene, sky, telescope, settings, channel, *batch, 1000 * k) for k, (channel, batch) in numbered]
    spread(work, solve_batch, jobs)
    with work.create() as file:
        notes, loss = list[str](), 0.0
        for channel in range(channels):
            own = [job for job in jobs if job.channel == channel]
            notes += _gather(work, own, file.create_group(f"channel{channel}"), size)
            loss += float(file[f"channel{channel}/loss"][:, -1].sum())
        file["frames"] = np.concatenate([todo[:0], *(frames for frames, _ in batches)])
        file["half"] = np.array([half for _, half in batches], np.int8)
        file.attrs["notes"], file.attrs["loss"] = json.dumps(notes), loss
        file.attrs["model"], file.attrs["starts"] = settings.model, starts
        file.attrs["shared"] = float(starts > 1 and len(batches) == starts)


def _batches(
    todo: NDArray[np.int64], settings: Psfs, halves: int, afresh: bool
) -> tuple[list[tuple[NDArray[np.int64], int]], int]:
    """Frames and half of every batch, each with its share of the luckiest, and how often each frame is solved.

    Batches solved `afresh`, from nothing, are about as large as the settings say: less than half a one waits for the sky
    that the luckier frames find, and there every half gets a batch. The halves are every second batch, or every second
    start where there is one batch.
    """
    if not afresh:
        many = max(min(halves, len(todo)), math.ceil(len(todo) / settings.batch_frames))
        return [(todo[first::many], first % halves) for first in range(many)], 1
    many = max(1, round(len(todo) / settings.batch_frames))
    kept = todo[: many * settings.batch_frames]
    numbers = itertools.product(range(settings.starts), range(many))
    return [(kept[first::many], (first if many > 1 else start) % 2) for start, first in numbers], settings.starts


def solve_batch(work: Work, job: Job) -> None:
    """Solve one batch in segments of so many steps, each left as a part: whoever comes next goes on after the last.

    The result is one more part, with the batch's parameters and its sums A and B.
    """

    def make(file: Any) -> None:
        notes: list[str] = []
        found: list[Piece] = []

        def piece(frames: Sequence[int], place: int) -> Piece:
            own = replace(job, frames=np.array(frames), first_part=job.first_part + place * PIECE)
            return _piece(work, own, _added([each.solved.sums for each in found]))

        for each in in_halves(job.frames.tolist(), piece, notes.append):
            found.append(each)  # before the next half is begun
        whole = _added([each.solved.sums for each in found])
        assert whole is not None
        file["psfs"] = torch.cat([each.solved.psfs for each in found]).cpu().numpy()
        file["A"], file["B"] = whole.power.cpu().numpy(), whole.cross.cpu().numpy()
        file["light"] = np.average([p.light for p in found], axis=0, weights=[p.solved.sums.frames for p in found])
        file["misfits"] = np.concatenate([piece.misfits for piece in found])
        file["loss"] = np.sum([each.losses for each in found], axis=0)
        file.attrs["noise"] = float(np.mean([each.noise for each in found]))
        file.attrs["notes"] = json.dumps(notes)

    with work.part(job.result, make):
        pass


def _piece(work: Work, job: Job, beside: Sums | None) -> Piece:
    """Solve frames together; where they are not the first of their batch, against the sums of those before them."""
    batch, plan = _problem(work, job)
    if beside is not None:  # both must agree on where the sky is, and on how much of it there is
        others = beside if batch.others is None else batch.others + beside
        power = ring_power(beside, batch.noise) if batch.sky_power is None else batch.sky_power
        batch = replace(batch, others=others, sky_power=power)
    solved, losses = _solved(work, job, batch, plan)
    left = misfits(PSF_MODELS[job.settings.model], batch, solved).cpu().numpy()
    return Piece(solved, batch.noise, ring_power_of_frames(batch.spectra).cpu().numpy(), left, losses)


def _added(sums: Sequence[Sums]) -> Sums | None:
    """The sums of them all, None of nothing."""
    return functools.reduce(operator.add, sums) if sums else None


def _solved(work: Work, job: Job, batch: Batch, plan: Plan) -> tuple[Solved, list[float]]:
    """What a model makes of frames, and its loss at the end of every segment."""
    model = PSF_MODELS[job.settings.model]
    memory: Memory | None = None
    losses = []
    for segment, done in enumerate(range(0, plan.steps, SEGMENT)):

        def make(file: Any, memory: Memory | None = memory, done: int = done) -> None:
            begun = memory if memory is not None else model.begin(batch, plan)
            reached = model.advance(batch, plan, begun, min(SEGMENT, plan.steps - done))
            file.update({name: values.cpu().numpy() for name, values in reached.items()})
            file.attrs["loss"] = _loss(batch, model.finish(batch, plan, reached).sums, reached.get("sky_power"))

        with work.part(job.first_part + segment, make) as file:
            losses.append(float(file.attrs["loss"]))
            memory = {name: torch.from_numpy(np.asarray(file[name][()])).to(work.device) for name in file}
        work.progress(min(done + SEGMENT, plan.steps), plan.steps)
    assert memory is not None
    return model.finish(batch, plan, memory), losses


def _loss(batch: Batch, own: Sums, sky_power: torch.Tensor | None) -> float:
    """Minus the log-likelihood of a batch's frames, given those held fixed, at temperature 1; nats.

    All skies that the data allow are integrated over: their share without these frames is taken off.
    """
    nothing = Sums(torch.zeros_like(own.power), torch.zeros_like(own.cross), 0)
    others = nothing if batch.others is None else batch.others
    total = others + own
    noise = torch.tensor(batch.noise, device=own.power.device)
    power = ring_power(total, batch.noise) if sky_power is None else sky_power
    floor = floor_of(power, batch.noise, own.power.shape[-2])
    return float(loss_of(total, noise, floor) - loss_of(others, noise, floor))


def _problem(work: Work, job: Job) -> tuple[Batch, Plan]:
    """The batch's frames with what is known around them, and how hard to try."""
    scene, channel, settings = job.scene, job.channel, job.settings
    with contextlib.ExitStack() as stack:
        clean = stack.enter_context(prepared(work, scene.frames, scene.mean))
        opened = (scene.first, scene.air, scene.mean, job.sky)
        stacked, seen, average, before = (stack.enter_context(work.open(p)) for p in opened)
        field = field_of(stacked, channel)
        aperture = aperture_of(job.telescope, channel, average, field.size)
        spectra = torch.fft.rfft2(torch.from_numpy(field.frames(clean, job.frames)).to(work.device))
        others, sky, sky_power = _known(before if job.sky.step == "solve_sky" else None, job.half, field, work.device)
        d_over_r0 = float(seen[f"channel{channel}"].attrs["d_over_r0"])
    noise = corner_noise(spectra, aperture.diameter_cells / field.size)
    batch = Batch(spectra, aperture, d_over_r0, noise, others, sky, sky_power)
    modes = most_modes(settings.modes, aperture)
    return batch, Plan(modes, settings.steps, settings.rate_rad, settings.temperature, settings.seed + job.first_part)


def _known(before: Any, half: int, field: Field, device: str) -> tuple[Sums | None, torch.Tensor, torch.Tensor | None]:
    """What the round before left: the sums of one half, the sky's spectrum (before the first round the stack's), its power."""
    if before is None:
        return None, torch.fft.rfft2(torch.from_numpy(field.laid(field.stack))).to(device), None
    found = halves_in(before, field.channel)
    known = found.total if found.single_solve else (found.half, found.total - found.half)[half]
    sums = Sums(known.power.to(device), known.cross.to(device), known.frames)
    sky, sky_power = (torch.from_numpy(before[name][field.channel]).to(device) for name in ("spectrum", "sky_power"))
    return sums, sky, sky_power


def _gather(work: Work, jobs: Sequence[Job], group: Any, size: int) -> list[str]:
    """Put the results of a channel's batches together, one batch in memory at a time; what there is to tell of them."""
    steps = jobs[0].settings.steps if jobs else 1
    ends = [min(done + SEGMENT, steps) for done in range(0, steps, SEGMENT)]
    group.create_dataset("loss", (len(jobs), len(ends)), np.float64).attrs["steps"] = ends
    for name, kind in SUMS.items():
        group.create_dataset(name, (len(jobs), size, size // 2 + 1), kind)
    group.create_dataset("light", (len(jobs), int(rings(size).max()) + 1), np.float32)
    left = group.create_dataset("misfits", (sum(len(job.frames) for job in jobs),), np.float32)
    noises, notes, row = [], [], 0
    for number, job in enumerate(jobs):
        with work.part(job.result, _lost) as part:
            rows = part["psfs"][:]
            if number == 0:
                group.create_dataset("psfs", (sum(len(j.frames) for j in jobs), *rows.shape[1:]), np.float32)
            group["psfs"][row : row + len(rows)] = rows
            left[row : row + len(rows)] = part["misfits"][:]
            for name in (*SUMS, "light"):
                group[name][number] = part[name][:]
            noises.append(float(part.attrs["noise"]))
            group["loss"][number] = part["loss"][:]
            notes += json.loads(part.attrs["notes"])
            row += len(rows)
        group.attrs["noise"] = float(np.median(noises))
    return notes


def _lost(file: Any) -> None:
    folder = Path(file.filename).parent
    raise StoreError(
        f"{folder} lacks a part that was made; is it the same disk for all workers? run the same command again"
    )
