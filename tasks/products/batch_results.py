"""The results of a round's batches, read from the journal's parts one at a time and gathered as one product."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from storage.declared import Streamed
from storage.errors import StoreError
from tasks.numerics.fourier.rings import rings
from tasks.numerics.fourier.sampling import Sampling
from tasks.numerics.psf_models.batches import FrameBatch
from tasks.products.contents import BatchResult, Psfs
from tasks.products.half_sums import plain_sampling
from tasks.running.step import Work

T = TypeVar("T")


@dataclass(frozen=True)
class Gathered:
    """What all batches of a round have in common."""

    batches: Sequence[FrameBatch]
    parts: Sequence[str]
    """Name of the part with each batch's result."""
    samplings: Sequence[Sampling]
    """The pixels of each channel on the canvas."""
    size: int
    """Side of the canvas, px."""
    model: str
    """PSF model."""
    starts: int
    """How many times each frame was solved."""
    loss_steps: Sequence[int]
    """Gradient steps done at the end of every segment."""


def gather_batches(work: Work, round_: Gathered) -> Psfs:
    """The results of all batches as one product; the large arrays are copied batch by batch."""
    channels, batches, starts = range(len(round_.samplings)), round_.batches, round_.starts

    def every(take: Callable[[BatchResult], T]) -> list[T]:
        return list(_each(work, round_.parts, take))

    small = every(lambda b: (b.frame_power[:], b.misfits[:], b.noise[:], b.loss[:], b.notes))
    powers, misfits, noise, losses, notes = zip(*small, strict=True) if small else ((),) * 5
    noises = np.array(noise, np.float64).reshape(-1, len(channels))
    no_rings = np.zeros((len(channels), 0, int(rings(round_.size).max()) + 1), np.float32)
    return Psfs(
        frames=np.concatenate([np.zeros(0, np.int64), *(batch.frames for batch in batches)]),
        half=np.array([batch.half for batch in batches], np.int8),
        psfs=tuple(_psf_rows(work, round_.parts, channel) for channel in channels),
        samplings=[plain_sampling(sampling) for sampling in round_.samplings],
        A=tuple(_sums(work, round_, channel, lambda b: b.A, np.float32) for channel in channels),
        B=tuple(_sums(work, round_, channel, lambda b: b.B, np.complex64) for channel in channels),
        frame_power=np.stack(powers, axis=1) if powers else no_rings,
        misfits=np.concatenate([np.zeros((len(channels), 0), np.float32), *misfits], axis=1),
        loss=np.array(losses, np.float64).reshape(len(batches), len(round_.loss_steps)),
        loss_steps=np.array(round_.loss_steps, np.int64),
        noise=np.median(noises, axis=0) if len(noises) else np.zeros(len(channels)),
        model=round_.model,
        starts=starts,
        shared_noise_fraction=float(starts > 1 and len(batches) == starts),
        notes=[note for each in notes for note in each],
    )


def _each(work: Work, parts: Sequence[str], take: Callable[[BatchResult], T]) -> Iterator[T]:
    """Something of every batch's result, one batch open at a time."""
    for part in parts:
        with work.part(part, BatchResult, partial(_missing, work)) as result:
            yield take(result)


def _sums(
    work: Work, round_: Gathered, channel: int, take: Callable[[BatchResult], Any], real: type[np.generic]
) -> Streamed:
    """A or B of a channel, batch after batch."""
    sampling = round_.samplings[channel]
    m = round_.size // sampling.period
    if sampling.is_full:
        shape: tuple[int, ...] = (m, m // 2 + 1)
    else:
        aliases = sampling.period**2
        shape = (*((aliases, aliases) if real is np.float32 else (aliases,)), m, m // 2 + 1)
    dtype = real if sampling.is_full else np.complex64
    blocks = _each(work, round_.parts, lambda result: take(result)[channel][:][None])
    return Streamed((len(round_.parts), *shape), dtype, blocks)


def _psf_rows(work: Work, parts: Sequence[str], channel: int) -> Streamed:
    """The parameters of a channel's PSFs, batch after batch."""
    shapes = list(_each(work, parts, lambda result: result.psfs[channel].shape))
    shape = (sum(each[0] for each in shapes), *shapes[0][1:]) if shapes else (0, 1)
    return Streamed(shape, np.float32, _each(work, parts, lambda result: result.psfs[channel][:]))


def _missing(work: Work) -> BatchResult:
    folder: Path = work.store.parts(work.product)
    raise StoreError(
        f"{folder} lacks a part that was made; is it the same disk for all workers? run the same command again"
    )
