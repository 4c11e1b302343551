"""solve_psfs: the PSF of every frame of a round, batch by batch; a journal of parts lets a killed round go on."""

import contextlib
import functools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from configs import schema
from configs.schema import Telescope
from storage.product import CaptureProducts, Product
from tasks.numerics.optics.propagation import frame_spectra
from tasks.numerics.psf_models.base import Batch, Memory, Plan, PsfModel, Solved
from tasks.numerics.psf_models.batches import FrameBatch, batch_loss, beside, fresh_batches, later_batches
from tasks.numerics.psf_models.table import PSF_MODELS, carried_over, misfits, noise_left
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import ring_power_of_frames
from tasks.products.batch_results import Gathered, gather_batches
from tasks.products.contents import BatchResult, BatchState, Seeing, Sky, Stack
from tasks.products.cutout import Cutout, cutout_of
from tasks.products.half_sums import read_half_sums
from tasks.products.inputs import Inputs, open_inputs
from tasks.products.optics import aperture_of, max_modes, wavelength_ratio
from tasks.running.dask_jobs import map_jobs
from tasks.running.out_of_memory import split_on_oom
from tasks.running.step import Work, step

SEGMENT = 50
"""Gradient steps between two part files: the most that a kill can cost."""
SEED_STRIDE = 1000
"""Between the seeds of two batches."""


@dataclass(frozen=True)
class Job:
    """One batch of frames: all that it takes to solve it on any machine that sees the store."""

    inputs: CaptureProducts
    sky: Product
    telescope: Telescope
    settings: schema.Psfs
    number: int
    """Of the batch."""
    batch: FrameBatch

    @property
    def name(self) -> str:
        """Beginning of the names of its parts."""
        return f"batch{self.number:04d}"

    @property
    def result(self) -> str:
        """Name of the part that holds the result."""
        return f"{self.name}-result"


@dataclass(frozen=True)
class ColourPiece:
    """What came of one colour of a batch."""

    solved: Solved
    noise: float
    """Per coefficient."""
    frame_power: torch.Tensor
    """(ring,) mean |Y|^2 of the frames."""
    misfits: torch.Tensor
    """(frame,) what the sky leaves unexplained of each frame, over the noise."""


@dataclass(frozen=True)
class Piece:
    """What came of a batch, or of a part of it where memory did not hold the whole."""

    colours: tuple[ColourPiece, ...]
    losses: list[float]
    """At the end of every segment, of the colour that was solved."""

    @property
    def frames(self) -> int:
        """How many it is of."""
        return self.colours[0].solved.sums.frames


@step(version="19")
def solve_psfs(work: Work, inputs: CaptureProducts, sky: Product, telescope: Telescope, settings: schema.Psfs) -> None:
    """Fit the PSFs of the chosen frames that have none yet; leave their parameters and the sums A, B of each batch.

    They are solved in the colour that tells most and carried to the others.
    """
    with work.open(Stack, inputs.stack) as stack:
        cutouts = [cutout_of(stack, channel) for channel in range(len(stack.stack))]
        order, size, samplings = stack.order[:], cutouts[0].size, [cutout.sampling for cutout in cutouts]
        apart = stack.noise_curve is not None  # what a coder leaves of a frame depends on its neighbours
    todo = order[: settings.frames] if settings.frames else order
    fresh = sky.step == Stack.step
    if fresh:
        with work.open(Seeing, inputs.seeing) as seeing:
            todo = todo[: sufficient_frames(settings, float(seeing.d_over_r0[:].max()))]
        batches = fresh_batches(todo, settings.batch_frames, settings.starts, apart)
    else:
        with work.open(Sky, sky) as before:
            todo = todo[~np.isin(todo, before.frames[:])]
            halves = 1 if read_half_sums(before, 0).single_solve else 2  # one sky's descendants have no other half
        batches = later_batches(todo, settings.batch_frames, halves)
    starts = settings.starts if fresh else 1
    jobs = [Job(inputs, sky, telescope, settings, number, batch) for number, batch in enumerate(batches)]
    map_jobs(work, solve_batch, jobs)
    ends = [min(done + SEGMENT, settings.steps) for done in range(0, settings.steps, SEGMENT)]
    parts = [job.result for job in jobs]
    work.save(gather_batches(work, Gathered(batches, parts, samplings, size, settings.model, starts, ends)))


def sufficient_frames(settings: schema.Psfs, d_over_r0: float) -> int | None:
    """How many frames are enough to find a sky in such air; None: there is no limit."""
    if not settings.frames_per_d_over_r0:
        return None
    return max(2 * settings.batch_frames, round(settings.frames_per_d_over_r0 * d_over_r0))


def solve_batch(work: Work, job: Job) -> None:
    """Solve one batch in segments of so many steps, each left as a part: the next process goes on after the last.

    The result is one more part, with the batch's parameters and its sums A and B.
    """

    def make() -> BatchResult:
        notes: list[str] = []
        found: list[Piece] = []
        for piece in split_on_oom(len(job.batch.frames), lambda rows: _piece(work, job, rows, found), notes.append):
            found.append(piece)  # before the next half is begun
        counts = [piece.frames for piece in found]
        channels = range(len(found[0].colours))
        by_channel = [[piece.colours[channel] for piece in found] for channel in channels]
        wholes = [_added(pieces) for pieces in by_channel]
        powers = [[each.frame_power.numpy() for each in pieces] for pieces in by_channel]
        return BatchResult(
            psfs=tuple(torch.cat([each.solved.psfs for each in pieces]).cpu().numpy() for pieces in by_channel),
            A=tuple(whole.power.cpu().numpy() for whole in wholes),
            B=tuple(whole.cross.cpu().resolve_conj().numpy() for whole in wholes),
            frame_power=np.stack([np.average(each, axis=0, weights=counts) for each in powers]).astype(np.float32),
            misfits=np.stack([torch.cat([each.misfits for each in pieces]).numpy() for pieces in by_channel]),
            loss=np.sum([piece.losses for piece in found], axis=0),
            noise=np.array([np.mean([each.noise for each in pieces]) for pieces in by_channel]),
            notes=notes,
        )

    with work.part(job.result, BatchResult, make):
        pass


def _piece(work: Work, job: Job, rows: range, before: Sequence[Piece]) -> Piece:
    """Solve some rows of a batch together; where they are not its first, against the sums of those before them."""
    model = PSF_MODELS[job.settings.model]
    whole = len(rows) == len(job.batch.frames)
    name = job.name if whole else f"{job.name}-rows{rows.start}-{rows.stop}"
    with _opened(work, job) as opened:
        reference = opened.clean.colours.reference

        def batch_of(channel: int) -> Batch:
            known = _added([piece.colours[channel] for piece in before]) if before else None
            return beside(_batch(opened, channel, rows), known)

        batch = batch_of(reference)
        first, losses = _solved(work, name, job, batch, _plan(job, batch, rows))
        colours = {reference: _colour_piece(model, batch, first)}
        for channel in set(range(len(opened.clean.colours))) - {reference}:
            batch = batch_of(channel)  # in the place of the last: memory holds the spectra of one colour
            ratio = wavelength_ratio(job.telescope, channel, reference)
            solved = carried_over(model, batch, model.carried(first.psfs, ratio))
            colours[channel] = _colour_piece(model, batch, solved)
    return Piece(tuple(colours[channel] for channel in sorted(colours)), losses)


def _colour_piece(model: PsfModel, batch: Batch, solved: Solved) -> ColourPiece:
    noise = noise_left(model, batch, solved)
    power = ring_power_of_frames(batch.spectra, noise, batch.sampling).cpu()
    return ColourPiece(solved, noise, power, misfits(model, batch, solved).cpu())


def _added(pieces: Sequence[ColourPiece]) -> Sums:
    """The sums of them all."""
    return functools.reduce(operator.add, (piece.solved.sums for piece in pieces))


def _solved(work: Work, name: str, job: Job, batch: Batch, plan: Plan) -> tuple[Solved, list[float]]:
    """What a model makes of frames, and its loss at the end of every segment."""
    model = PSF_MODELS[job.settings.model]
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


@dataclass(frozen=True)
class Opened(Inputs):
    """The open inputs of a batch."""

    job: Job
    before: Sky | None
    """The sky of the round before."""


@contextlib.contextmanager
def _opened(work: Work, job: Job) -> Iterator[Opened]:
    first = job.sky.step == Stack.step
    with (
        open_inputs(work, job.inputs) as shared,
        contextlib.nullcontext() if first else work.open(Sky, job.sky) as before,
    ):
        yield Opened(**vars(shared), job=job, before=before)


def _batch(opened: Opened, channel: int, rows: range) -> Batch:
    """Some frames of a batch in one colour, with what is known around them."""
    work, job, cutout = opened.work, opened.job, cutout_of(opened.stack, channel)
    aperture = aperture_of(job.telescope, channel, opened.mean, cutout.size)
    frames = cutout.frames(opened.clean, job.batch.frames[rows.start : rows.stop])
    spectra = frame_spectra(torch.from_numpy(frames).to(work.device))
    noise = cutout.noise_of(spectra, aperture.diameter_cells / cutout.size)
    known = _known(opened, cutout)
    return Batch(spectra, aperture, float(opened.seeing.d_over_r0[channel]), noise, *known, cutout.sampling)


def _plan(job: Job, batch: Batch, rows: range) -> Plan:
    """How hard to try."""
    settings = job.settings
    return Plan(
        modes=max_modes(settings.modes, batch.aperture),
        steps=settings.steps,
        rate=settings.rate_rad,
        temperature=settings.temperature,
        seed=settings.seed + SEED_STRIDE * job.number,
        first_row=rows.start,
        drawn_rows=len(job.batch.frames),
    )


def _known(opened: Opened, cutout: Cutout) -> tuple[Sums | None, torch.Tensor, torch.Tensor | None]:
    """What the round before left: sums of one half-set, the sky's spectrum (before the first round the stack's), its power."""
    device, channel, before = opened.work.device, cutout.channel, opened.before
    if before is None:
        return None, torch.fft.rfft2(torch.from_numpy(cutout.to_canvas(cutout.stack))).to(device), None
    sums = read_half_sums(before, channel)
    known = sums.total if sums.single_solve else (sums.half, sums.total - sums.half)[opened.job.batch.half]
    spectrum, power = (torch.from_numpy(array[channel]).to(device) for array in (before.spectrum, before.sky_power))
    return known.on(device), spectrum, power
