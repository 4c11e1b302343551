"""dewarp: a stack of Moon or Sun whose frames are registered part by part; none of it enters the sky."""

import logging
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
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Stack
from tasks.products.finished_contents import Dewarped, Filled
from tasks.products.registered import open_filled, registered_frame
from tasks.running.step import Work, step

log = logging.getLogger("stillsky")
Image = NDArray[np.float32]
Field = NDArray[np.float32]
FieldOf = Callable[[Image, Image], Field]
"""Local shifts of a frame against a reference, both (y, x)."""
JUDGES = 8
"""Held-out frames whose stack is compared."""
RETURNS = 2
"""Held-out frames on which the way there and back is measured: it takes twice the time."""
MAX_RETURN_RATIO, RETURN_SLACK_PX = 1.2, 0.05
"""The learned way there and back may miss its start by this much more than the classical one."""


@dataclass(frozen=True)
class Opened:
    """The open inputs, and what frames are compared with."""

    clean: CleanFrames
    stack: Stack
    filled: Filled | None
    reference: Image
    """(y, x) the stack, mean of its channels."""

    def frame(self, number: int) -> Image:
        """A frame (channel, y, x), registered as a whole."""
        return registered_frame(self.clean, self.stack, int(number), self.filled)


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
        work.open(Stack, stack) as stacked,
        open_filled(work, filled) as pixels,
    ):
        opened = Opened(clean, stacked, pixels, stacked.stack[:].mean(axis=0))
        content = _dewarped(work, opened, settings, net) if fills_field(opened.reference) else _left_alone(stacked)
    log.info("dewarp: %s, %s", content.used, content.reason)
    work.save(content)


def _left_alone(stacked: Stack) -> Dewarped:
    picture = stacked.stack[:]
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

    def grid(frame: Image, reference: Image) -> Field:
        return local_field(frame, reference, settings.patch_px, settings.step_px)

    plain = _answer(opened, numbers, lambda frame, _: np.zeros((2, *frame.shape), np.float32), settings.step_px)
    work.progress(1, 4)
    classical = _answer(opened, numbers, grid, settings.step_px)
    work.progress(3, 4)
    learned = None
    if model is not None:
        net = load(model)
        learned = _answer(opened, numbers, lambda a, b: refined(net, a, b, grid(a, b))[0], settings.step_px)
    fault = "" if model is None or learned is None else _fault(opened, classical, learned, model)
    chosen = choice("dewarp", settings.mode, model, fault)
    shown = learned if learned is not None and chosen.used == "learned" else classical
    return Dewarped(
        dewarped=shown_part(opened.stack.stack[:], shown.picture, settings.strength),
        plain=plain.picture,
        classical=classical.picture,
        numbers=numbers,
        fields=shown.fields,
        used=chosen.used,
        reason=chosen.reason,
        strength=settings.strength,
        model=chosen.model,
        card=dict(chosen.card),
        figures=_figures({"plain": plain, "classical": classical, "learned": learned}),
        learned=None if learned is None else learned.picture,
    )


def _answer(opened: Opened, numbers: NDArray[np.int64], field_of: FieldOf, step_px: int) -> Answer:
    """The stack of frames moved by their local shifts, and the same of held-out frames, which judges."""
    picture, fields = _stacked(opened, numbers, field_of, step_px)
    held, _ = _stacked(opened, opened.stack.held[:JUDGES], field_of, step_px)
    missed = []
    for number in opened.stack.held[:RETURNS]:
        light = opened.frame(number).mean(axis=0)
        there, back = field_of(light, opened.reference), field_of(opened.reference, light)
        missed.append(float(np.median(consistency_px(there, back))))
    return Answer(picture, fields, detail(held.mean(axis=0)), float(np.median(missed)))


def _stacked(opened: Opened, numbers: NDArray[np.int64], field_of: FieldOf, step_px: int) -> tuple[Image, Field]:
    """Mean (channel, y, x) of frames moved by their local shifts, and these, one per patch."""
    total, fields = np.zeros(opened.stack.stack.shape, np.float64), []
    for number in numbers:
        frame = opened.frame(number)
        moved = field_of(frame.mean(axis=0), opened.reference)
        total += np.stack([warped(plane, moved) for plane in frame])
        fields.append(moved[:, step_px // 2 :: step_px, step_px // 2 :: step_px])
    return np.asarray(total / len(numbers), np.float32), np.stack(fields)


def _fault(opened: Opened, classical: Answer, learned: Answer, model: Model) -> str:
    """What speaks against the learned shifts, by held-out frames; empty: nothing."""
    frames = np.stack([opened.frame(number).mean(axis=0) for number in opened.stack.held[:RETURNS]])
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


def _figures(answers: dict[str, Answer | None]) -> dict[str, Any]:
    """Detail and misses of each kind, and how far the parts moved."""
    rows: dict[str, Any] = {}
    for name, answer in answers.items():
        if answer is not None:
            rows[f"detail_{name}"] = answer.detail
            if name != "plain":
                rows |= {f"missed_px_{name}": answer.missed_px, f"shift_rms_px_{name}": _rms(answer.fields)}
    return rows
