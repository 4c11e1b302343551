"""solve_psfs: the PSF of every frame of a round, batch by batch; a journal of parts lets a killed round go on."""

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Psfs, Telescope
from storage.product import Product, Scene
from tasks.field import Field, field_of
from tasks.numerics.likelihood import Sums
from tasks.numerics.models import MODELS, Batch, Memory, Plan, Solved
from tasks.numerics.sky import corner_noise
from tasks.optics import cutoff_cpp, most_modes, obstruction
from tasks.prepared import Prepared, prepared
from tasks.step import Work, step

SEGMENT = 50
"""Gradient steps between two part files: the most that a kill can cost."""


@dataclass(frozen=True)
class Turn:
    """What all batches of one channel share."""

    work: Work
    clean: Prepared
    field: Field
    diameter: float
    obstruction: float
    d_over_r0: float
    known: "Known"
    settings: Psfs


@dataclass(frozen=True)
class Known:
    """What the round before left of one channel."""

    sky: torch.Tensor
    """(y, x//2+1) the last sky's spectrum: the stack's before the first round."""
    sums: Sums | None = None
    sky_power: torch.Tensor | None = None


@step(version="1")
def solve_psfs(work: Work, scene: Scene, sky: Product, telescope: Telescope, settings: Psfs) -> None:
    """Fit the PSFs of the chosen frames that have none yet; leave their parameters and the sums A, B of each batch."""
    with contextlib.ExitStack() as stack:
        clean = stack.enter_context(prepared(work, scene.frames, scene.mean))
        stacked, seen, average = (stack.enter_context(work.open(p)) for p in (scene.first, scene.air, scene.mean))
        before = stack.enter_context(work.open(sky)) if sky.step == "solve_sky" else None
        order = stacked["order"][:]
        chosen = order[: settings.frames] if settings.frames else order
        todo = chosen if before is None else chosen[~np.isin(chosen, before["frames"][:])]
        batches = np.array_split(todo, max(1, -(-len(todo) // settings.batch_frames))) if len(todo) else []
        file = stack.enter_context(work.create())
        for channel in range(clean.stack.shape[1]):
            field = field_of(stacked, channel)
            cutoff = min(cutoff_cpp(telescope, channel, average), 0.5)
            strength = float(seen[f"channel{channel}"].attrs["d_over_r0"])
            known = _known(before, field, work.device)
            turn = Turn(
                work, clean, field, cutoff * field.size, obstruction(telescope), strength, known, settings
            )  # fmt: skip
            _channel(turn, batches, file.create_group(f"channel{channel}"))
        file["frames"] = todo
        file.attrs["model"] = settings.model


def _known(before: Any, field: Field, device: str) -> Known:
    if before is None:
        return Known(torch.fft.rfft2(torch.from_numpy(field.laid(field.stack))).to(device))
    names = ("spectrum", "A", "B", "sky_power")
    sky, power, cross, sky_power = (torch.from_numpy(before[name][field.channel]).to(device) for name in names)
    return Known(sky, Sums(power, cross, len(before["frames"])), sky_power)


def _channel(turn: Turn, batches: list[NDArray[np.int64]], group: Any) -> None:
    """Solve the batches of one channel one after the other; write parameters and sums, batch by batch."""
    count = max(1, len(batches))
    size = turn.field.size
    for name, kind in (("A", np.float32), ("B", np.complex64), ("A_half", np.float32), ("B_half", np.complex64)):
        group.create_dataset(name, (len(batches), size, size // 2 + 1), kind)
    noises: list[float] = []
    for number, batch in enumerate(batches):
        solved, noise = _batch(turn, batch, (turn.field.channel * count + number) * 1000)
        noises.append(noise)
        rows = solved.psfs.cpu().numpy()
        if number == 0:
            group.create_dataset("psfs", (0, *rows.shape[1:]), np.float32, maxshape=(None, *rows.shape[1:]))
        group["psfs"].resize(len(group["psfs"]) + len(rows), axis=0)
        group["psfs"][-len(rows) :] = rows
        for tail, sums in (("", solved.sums), ("_half", solved.halves)):
            group[f"A{tail}"][number] = sums.power.cpu().numpy()
            group[f"B{tail}"][number] = sums.cross.cpu().numpy()
        group.attrs["noise"] = float(np.median(noises))
        turn.work.progress(turn.field.channel * count + number + 1, count * turn.clean.stack.shape[1])


def _batch(turn: Turn, chosen: NDArray[np.int64], first_part: int) -> tuple[Solved, float]:
    """One batch, in segments of so many steps, each left as a part file: the next process goes on after the last."""
    plan = Plan(
        most_modes(turn.settings.modes, turn.diameter, turn.obstruction), turn.settings.steps,
        turn.settings.rate_rad, turn.settings.temperature,
        turn.settings.seed + first_part,
    )  # fmt: skip
    model = MODELS[turn.settings.model]
    batch = _problem(turn, chosen)
    memory: Memory | None = None
    for segment, done in enumerate(range(0, plan.steps, SEGMENT)):

        def make(file: Any, memory: Memory | None = memory, done: int = done) -> None:
            begun = memory if memory is not None else model.begin(batch, plan)
            for name, values in model.advance(batch, plan, begun, min(SEGMENT, plan.steps - done)).items():
                file[name] = values.cpu().numpy()

        with turn.work.part(first_part + segment, make) as file:
            memory = {name: torch.from_numpy(np.asarray(file[name][()])).to(turn.work.device) for name in file}
    assert memory is not None
    return model.finish(batch, plan, memory), batch.noise


def _problem(turn: Turn, chosen: NDArray[np.int64]) -> Batch:
    spectra = torch.fft.rfft2(torch.from_numpy(turn.field.frames(turn.clean, chosen)).to(turn.work.device))
    noise = corner_noise(spectra, turn.diameter / turn.field.size)
    known = turn.known
    strength = (turn.diameter, turn.obstruction, turn.d_over_r0)
    return Batch(spectra, *strength, noise, known.sums, known.sky, known.sky_power)
