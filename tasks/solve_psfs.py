"""solve_psfs: the PSF of every frame of a round, batch by batch; a journal of parts lets a killed round go on."""

import contextlib
import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from configs import schema
from configs.schema import Telescope
from storage.declared import Streamed
from storage.errors import StoreError
from storage.product import CaptureProducts, Product
from tasks.numerics.fourier.rings import rings
from tasks.numerics.psf_models.base import Batch, Memory, Plan, Solved
from tasks.numerics.psf_models.batches import FrameBatch, batch_loss, beside, fresh_batches, later_batches
from tasks.numerics.psf_models.table import PSF_MODELS, misfits
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import corner_noise, ring_power_of_frames
from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import BatchResult, BatchState, Mean, Psfs, Seeing, Sky, Stack
from tasks.products.cutout import Cutout, cutout_of
from tasks.products.half_sums import read_half_sums
from tasks.products.optics import aperture_of, max_modes
from tasks.running.dask_jobs import map_jobs
from tasks.running.out_of_memory import split_on_oom
from tasks.running.step import Work, step

T = TypeVar("T")
Real = TypeVar("Real", np.float32, np.float64)

SEGMENT = 50
"""Gradient steps between two part files: the most that a kill can cost."""
SEED_STRIDE = 1000
"""Between the seeds of two batches."""


@dataclass(frozen=True)
class Job:
    """One batch of frames of one channel: all that it takes to solve it on any machine that sees the store."""

    inputs: CaptureProducts
    sky: Product
    telescope: Telescope
    settings: schema.Psfs
    channel: int
    number: int
    """Of the batch, over all channels."""
    batch: FrameBatch

    @property
    def name(self) -> str:
        """Beginning of the names of its parts."""
        return f"channel{self.channel}-batch{self.number:04d}"

    @property
    def result(self) -> str:
        """Name of the part that holds the result."""
        return f"{self.name}-result"


@dataclass(frozen=True)
class Piece:
    """What came of a batch, or of a part of it where memory did not hold the whole."""

    solved: Solved
    noise: float
    """Per coefficient."""
    frame_power: torch.Tensor
    """(ring,) mean |Y|^2 of the frames."""
    misfits: torch.Tensor
    """(frame,) what the sky leaves unexplained of each frame, over the noise."""
    losses: list[float]
    """At the end of every segment."""


@step(version="10")
def solve_psfs(work: Work, inputs: CaptureProducts, sky: Product, telescope: Telescope, settings: schema.Psfs) -> None:
    """Fit the PSFs of the chosen frames that have none yet; leave their parameters and the sums A, B of each batch."""
    with work.open(Stack, inputs.stack) as stack:
        channels, order, size = len(stack.stack), stack.order[:], cutout_of(stack, 0).size
    todo = order[: settings.frames] if settings.frames else order
    fresh = sky.step == Stack.step
    if fresh:
        batches = fresh_batches(todo, settings.batch_frames, settings.starts)
    else:
        with work.open(Sky, sky) as before:
            todo = todo[~np.isin(todo, before.frames[:])]
            halves = 1 if read_half_sums(before, 0).single_solve else 2  # one sky's descendants have no other half
        batches = later_batches(todo, settings.batch_frames, halves)
    starts = settings.starts if fresh else 1
    numbered = enumerate(itertools.product(range(channels), batches))
    jobs = [Job(inputs, sky, telescope, settings, channel, k, batch) for k, (channel, batch) in numbered]
    map_jobs(work, solve_batch, jobs)
    by_channel = [[job for job in jobs if job.channel == channel] for channel in range(channels)]
    work.save(_gathered(work, by_channel, batches, size, settings, starts))


def solve_batch(work: Work, job: Job) -> None:
    """Solve one batch in segments of so many steps, each left as a part: the next process goes on after the last.

    The result is one more part, with the batch's parameters and its sums A and B.
    """

    def make() -> BatchResult:
        notes: list[str] = []
        found: list[Piece] = []
        for piece in split_on_oom(
            len(job.batch.frames), lambda rows: _piece(work, job, rows, _added(found)), notes.append
        ):
            found.append(piece)  # before the next half is begun
        whole = _added(found)
        assert whole is not None
        counts = [piece.solved.sums.frames for piece in found]
        return BatchResult(
            psfs=torch.cat([piece.solved.psfs for piece in found]).cpu().numpy(),
            A=whole.power.cpu().numpy(),
            B=whole.cross.cpu().numpy(),
            frame_power=np.average([p.frame_power.numpy() for p in found], axis=0, weights=counts).astype(np.float32),
            misfits=torch.cat([piece.misfits for piece in found]).numpy(),
            loss=np.sum([piece.losses for piece in found], axis=0),
            noise=float(np.mean([piece.noise for piece in found])),
            notes=notes,
        )

    with work.part(job.result, BatchResult, make):
        pass


def _piece(work: Work, job: Job, rows: range, fixed: Sums | None) -> Piece:
    """Solve some rows of a batch together; where they are not its first, against the sums of those before them."""
    batch, plan = _problem(work, job, rows)
    batch = beside(batch, fixed)
    whole = len(rows) == len(job.batch.frames)
    name = job.name if whole else f"{job.name}-rows{rows.start}-{rows.stop}"
    solved, losses = _solved(work, name, job.settings.model, batch, plan)
    left = misfits(PSF_MODELS[job.settings.model], batch, solved).cpu()
    return Piece(solved, batch.noise, ring_power_of_frames(batch.spectra).cpu(), left, losses)


def _added(pieces: Sequence[Piece]) -> Sums | None:
    """The sums of them all, None of nothing."""
    return functools.reduce(operator.add, (piece.solved.sums for piece in pieces)) if pieces else None


def _solved(work: Work, name: str, model_name: str, batch: Batch, plan: Plan) -> tuple[Solved, list[float]]:
    """What a model makes of frames, and its loss at the end of every segment."""
    model = PSF_MODELS[model_name]
    memory: Memory | None = None
    losses = []
    for done in range(0, plan.steps, SEGMENT):

        def make(memory: Memory | None = memory, done: int = done) -> BatchState:
            begun = memory if memory is not None else model.begin(batch, plan)
            reached = model.advance(batch, plan, begun, min(SEGMENT, plan.steps - done))
            loss = batch_loss(batch, model.finish(batch, plan, reached).sums, reached.get("sky_power"))
            return BatchState(memory={key: values.cpu().numpy() for key, values in reached.items()}, loss=loss)

        with work.part(f"{name}-step{done + SEGMENT:05d}", BatchState, make) as state:
            losses.append(state.loss)
            memory = {k: torch.from_numpy(np.asarray(v[()])).to(work.device) for k, v in state.memory.items()}
        work.progress(min(done + SEGMENT, plan.steps), plan.steps)
    assert memory is not None
    return model.finish(batch, plan, memory), losses


def _problem(work: Work, job: Job, rows: range) -> tuple[Batch, Plan]:
    """Some frames of a batch with what is known around them, and how hard to try."""
    inputs, channel, settings = job.inputs, job.channel, job.settings
    with contextlib.ExitStack() as stack:
        clean = stack.enter_context(open_clean_frames(work, inputs.frames, inputs.mean))
        cutout = cutout_of(stack.enter_context(work.open(Stack, inputs.stack)), channel)
        mean = stack.enter_context(work.open(Mean, inputs.mean))
        seeing = stack.enter_context(work.open(Seeing, inputs.seeing))
        aperture = aperture_of(job.telescope, channel, mean, cutout.size)
        frames = cutout.frames(clean, job.batch.frames[rows.start : rows.stop])
        spectra = torch.fft.rfft2(torch.from_numpy(frames).to(work.device))
        d_over_r0 = float(seeing.d_over_r0[channel])
        known = _known(work, job, cutout)
    noise = corner_noise(spectra, aperture.diameter_cells / cutout.size)
    plan = Plan(
        modes=max_modes(settings.modes, aperture),
        steps=settings.steps,
        rate=settings.rate_rad,
        temperature=settings.temperature,
        seed=settings.seed + SEED_STRIDE * job.number,
        first_row=rows.start,
        drawn_rows=len(job.batch.frames),
    )
    return Batch(spectra, aperture, d_over_r0, noise, *known), plan


def _known(work: Work, job: Job, cutout: Cutout) -> tuple[Sums | None, torch.Tensor, torch.Tensor | None]:
    """What the round before left: sums of one half-set, the sky's spectrum (before the first round the stack's), its power."""
    device, channel = work.device, job.channel
    if job.sky.step == Stack.step:
        return None, torch.fft.rfft2(torch.from_numpy(cutout.to_canvas(cutout.stack))).to(device), None
    with work.open(Sky, job.sky) as before:
        sums = read_half_sums(before, channel)
        known = sums.total if sums.single_solve else (sums.half, sums.total - sums.half)[job.batch.half]
        spectrum, power = (torch.from_numpy(array[channel]).to(device) for array in (before.spectrum, before.sky_power))
    return Sums(known.power.to(device), known.cross.to(device), known.frames), spectrum, power


def _gathered(
    work: Work, by_channel: list[list[Job]], batches: list[FrameBatch], size: int, settings: schema.Psfs, starts: int
) -> Psfs:
    """The results of all batches as one product; the large arrays are copied batch by batch."""
    half_plane = (len(batches), size, size // 2 + 1)
    steps = [min(done + SEGMENT, settings.steps) for done in range(0, settings.steps, SEGMENT)]

    def per_batch(take: Callable[[BatchResult], T]) -> list[list[T]]:
        return [list(_each(work, jobs, take)) for jobs in by_channel]

    return Psfs(
        frames=np.concatenate([np.zeros(0, np.int64), *(batch.frames for batch in batches)]),
        half=np.array([batch.half for batch in batches], np.int8),
        psfs=tuple(_psf_rows(work, jobs) for jobs in by_channel),
        A=tuple(Streamed(half_plane, np.float32, _each(work, jobs, lambda b: b.A[:][None])) for jobs in by_channel),
        B=tuple(Streamed(half_plane, np.complex64, _each(work, jobs, lambda b: b.B[:][None])) for jobs in by_channel),
        frame_power=_stacked(per_batch(lambda b: b.frame_power[:]), int(rings(size).max()) + 1, np.float32),
        misfits=np.stack(
            [np.concatenate([np.zeros(0, np.float32), *each]) for each in per_batch(lambda b: b.misfits[:])]
        ),
        loss=_stacked(per_batch(lambda b: b.loss[:]), len(steps), np.float64),
        loss_steps=np.array(steps, np.int64),
        noise=np.array([np.median(each) if each else 0.0 for each in per_batch(lambda b: b.noise)], np.float64),
        model=settings.model,
        starts=starts,
        shared_noise_fraction=float(starts > 1 and len(batches) == starts),
        notes=[note for each in per_batch(lambda b: b.notes) for notes in each for note in notes],
    )


def _each(work: Work, jobs: Sequence[Job], take: Callable[[BatchResult], T]) -> Iterator[T]:
    """Something of every batch's result, one batch open at a time."""
    for job in jobs:
        with work.part(job.result, BatchResult, partial(_missing, work)) as result:
            yield take(result)


def _psf_rows(work: Work, jobs: Sequence[Job]) -> Streamed:
    """The parameters of a channel's PSFs, batch after batch."""
    shapes = list(_each(work, jobs, lambda result: result.psfs.shape))
    shape = (sum(each[0] for each in shapes), *shapes[0][1:]) if shapes else (0, 1)
    return Streamed(shape, np.float32, _each(work, jobs, lambda result: result.psfs[:]))


def _stacked(curves: list[list[NDArray[Real]]], length: int, dtype: type[Real]) -> NDArray[Real]:
    """Curves of every channel and batch as (channel, batch, length), also where there is no batch."""
    return np.array(curves, dtype).reshape(len(curves), -1, length)


def _missing(work: Work) -> BatchResult:
    folder: Path = work.store.parts(work.product)
    raise StoreError(
        f"{folder} lacks a part that was made; is it the same disk for all workers? run the same command again"
    )
