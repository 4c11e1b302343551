"""dewarp: a stack of Moon or Sun whose frames are registered part by part; none of it enters the sky."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.finishing import Dewarp
from storage.models import Model
from storage.product import Product
from tasks.learning.chosen import choice, model_named, outside_domain
from tasks.learning.registry import load
from tasks.numerics.finishing.local_shifts import consistency_px, detail, fills_field, local_field, warped
from tasks.numerics.finishing.richardson_lucy import shown_part
from tasks.numerics.finishing.window_mean import high_pass_noise
from tasks.numerics.networks.dewarp import refined
from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import Stack
from tasks.products.finished_contents import Dewarped
from tasks.products.registered import Registered, open_filled
from tasks.running.step import Work, step

Image = NDArray[np.float32]
Field = NDArray[np.float32]
Measure = Callable[[Image, Image], dict[str, Field]]
"""Local shifts of a frame against a reference, both (y, x), by the name of the answer."""
JUDGES = 8
"""Held-out frames whose stack is compared."""
RETURNS = 2
"""Held-out frames on which the way there and back is measured: it takes twice the time."""
MAX_RETURN_RATIO, RETURN_SLACK_PX = 1.2, 0.05
"""The learned way there and back may miss its start by this much more than the classical one."""


@dataclass(frozen=True)
class Opened:
    """The open inputs, and what frames are compared with."""

    frames: Registered
    reference: Image
    """(y, x) the stack, mean of its channels."""

    @property
    def stack(self) -> Stack:
        """The stack that frames are registered on."""
        return self.frames.stack


@dataclass(frozen=True)
class Answer:
    """One kind of local shifts, and what came of it."""

    picture: Image
    """(channel, y, x) mean of the moved frames."""
    fields: Field
    """(frame, 2, row, column) px."""
    detail: float
    """Structure of the stack of held-out frames."""
    missed_px: float
    """Median way that going there and back misses."""


@step(version="1", passes="stack")
def dewarp(work: Work, frames: Product, stack: Product, filled: Product, settings: Dewarp, model: str = "") -> None:
    """Measure local shifts of the sharpest frames against the stack, undo them, and average."""
    net = model_named("dewarp", model)
    with (
        open_clean_frames(work, frames) as clean,
        work.open(Stack, stack) as opened_stack,
        open_filled(work, filled) as pixels,
    ):
        opened = Opened(Registered(clean, opened_stack, pixels), opened_stack.stack[:].mean(axis=0))
        content = (
            _dewarped(work, opened, settings, net)
            if fills_field(opened.reference)
            else _without_dewarping(opened_stack)
        )
    work.save(content)


def _without_dewarping(stack: Stack) -> Dewarped:
    picture = stack.stack[:]
    return Dewarped(
        dewarped=picture,
        plain=picture,
        classical=picture,
        numbers=np.zeros(0, np.int64),
        fields=np.zeros((0, 2, 0, 0), np.float32),
        used="none",
        reason="the target does not fill the field, as Moon and Sun do: all its parts move alike",
        strength=0.0,
        model="",
        card={},
        figures={},
    )


def _dewarped(work: Work, opened: Opened, settings: Dewarp, model: Model | None) -> Dewarped:
    numbers = opened.stack.order[: settings.frames]
    answers = _answers(work, opened, numbers, _measure(settings, model), settings.step_px)
    classical, learned = answers["classical"], answers.get("learned")
    fault = "" if model is None or learned is None else _fault(opened, classical, learned, model)
    chosen = choice("dewarp", settings.mode, model, fault)
    shown = learned if learned is not None and chosen.used == "learned" else classical
    return Dewarped(
        dewarped=shown_part(opened.stack.stack[:], shown.picture, settings.strength),
        plain=answers["plain"].picture,
        classical=classical.picture,
        numbers=numbers,
        fields=shown.fields,
        used=chosen.used,
        reason=chosen.reason,
        strength=settings.strength,
        model=chosen.model,
        card=dict(chosen.card),
        figures=_figures(answers),
        learned=None if learned is None else learned.picture,
    )


def _measure(settings: Dewarp, model: Model | None) -> Measure:
    """The kinds of local shifts: none, the grid's, and a net's that starts from the grid's."""
    net = None if model is None else load(model)

    def measure(frame: Image, reference: Image) -> dict[str, Field]:
        grid = local_field(frame, reference, settings.patch_px, settings.step_px)
        fields = {"plain": np.zeros_like(grid), "classical": grid}
        return fields if net is None else {**fields, "learned": refined(net, frame, reference, grid)[0]}

    return measure


def _answers(
    work: Work, opened: Opened, numbers: NDArray[np.int64], measure: Measure, step_px: int
) -> dict[str, Answer]:
    """The stacks of frames moved by their local shifts, and the same of held-out frames, which judges."""
    pictures, fields = _stack_of_fields(opened, numbers, measure, step_px)
    work.progress(2, 3)
    held, _ = _stack_of_fields(opened, opened.stack.held[:JUDGES], measure, step_px)
    missed: dict[str, list[float]] = {name: [] for name in pictures}
    for number in opened.stack.held[:RETURNS]:
        light = opened.frames.frame(int(number)).mean(axis=0)
        there, back = measure(light, opened.reference), measure(opened.reference, light)
        for name in missed:
            missed[name].append(float(np.median(consistency_px(there[name], back[name]))))
    return {
        name: Answer(picture, fields[name], detail(held[name].mean(axis=0)), float(np.median(missed[name])))
        for name, picture in pictures.items()
    }


def _stack_of_fields(
    opened: Opened, numbers: NDArray[np.int64], measure: Measure, step_px: int
) -> tuple[dict[str, Image], dict[str, Field]]:
    """Of each kind: mean (channel, y, x) of frames moved by their local shifts, and these, one per patch."""
    totals: dict[str, Any] = {}
    fields: dict[str, list[Field]] = {}
    for number in numbers:
        frame = opened.frames.frame(int(number))
        for name, field in measure(frame.mean(axis=0), opened.reference).items():
            moved = np.stack([warped(plane, field) for plane in frame]) if field.any() else frame
            totals[name] = totals.get(name, 0.0) + moved.astype(np.float64)
            fields.setdefault(name, []).append(field[:, step_px // 2 :: step_px, step_px // 2 :: step_px])
    means = {name: np.asarray(total / len(numbers), np.float32) for name, total in totals.items()}
    return means, {name: np.stack(each) for name, each in fields.items()}


def _fault(opened: Opened, classical: Answer, learned: Answer, model: Model) -> str:
    """What speaks against the learned shifts, by held-out frames; empty: nothing."""
    frames = opened.frames.frames(opened.stack.held[:RETURNS]).mean(axis=1)
    spread = float(opened.reference.std())
    noise = high_pass_noise(np.concatenate([frames, opened.reference[None]])) / max(spread, 1e-30)
    outside = outside_domain(model, {"relative_sigma": noise, "rms_px": _rms(classical.fields)})
    if outside:
        return outside
    if learned.detail < classical.detail:
        return f"the stack of held-out frames has {learned.detail / classical.detail:.3f} times the detail of the classical one"
    if learned.missed_px > MAX_RETURN_RATIO * classical.missed_px + RETURN_SLACK_PX:
        return f"its way there and back misses by {learned.missed_px:.2f} px, the classical by {classical.missed_px:.2f} px"
    return ""


def _rms(fields: Field) -> float:
    """Shift per axis, px."""
    return float(np.sqrt(np.mean(fields**2, dtype=np.float64)))


def _figures(answers: dict[str, Answer]) -> dict[str, Any]:
    """Detail and misses of each kind, and how far the parts moved."""
    rows: dict[str, Any] = {}
    for name, answer in answers.items():
        rows[f"detail_{name}"] = answer.detail
        if name != "plain":
            rows |= {f"missed_px_{name}": answer.missed_px, f"shift_rms_px_{name}": _rms(answer.fields)}
    return rows
