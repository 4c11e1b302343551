"""fill: missing pixels of the frames filled, for pictures to look at; no filled pixel ever enters the solve."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.finishing import Fill
from storage.models import Model
from storage.product import Product
from tasks.learning.chosen import Choice, choice, model_named, outside_domain
from tasks.learning.registry import load
from tasks.numerics.finishing.fill import filled_classically, matched_reference
from tasks.numerics.finishing.missing import expected_light, mean_of_known, missing_pixels, proving_mask, thickness_px
from tasks.numerics.finishing.richardson_lucy import shown_part
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.networks.fill import filled
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Frames, Mean, Stack
from tasks.products.finished_contents import Filled
from tasks.running.step import Work, step

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Filling = Callable[[Image, Mask, Image], dict[str, Image]]
"""Frame, mask and reference (y, x) to the whole frame, by the name of the answer."""
REFERENCE_FRAMES = 100
"""Most frames of the mean that is the reference."""
MIN_SHARE = 0.1
"""A place of it that fewer of them show, as a fraction, is bridged."""
PROVED = 4
"""Frames whose good pixels are hidden and filled to compare the answers."""


@dataclass(frozen=True)
class Opened:
    """The open inputs."""

    raw: Frames
    clean: CleanFrames
    stack: Stack
    bad: Mask
    """(channel, y, x) pixels that no frame can be trusted in."""
    expected: Image
    """(channel, y, x) light of the mean frame, or around where it is dead."""

    def mask(self, number: int) -> Mask:
        """Missing pixels (channel, y, x) of a frame."""
        noise = float(self.clean.noise[number].max())
        return missing_pixels(self.raw.raw[number], self.bad, self.expected, noise, self.raw.full_scale)

    @cached_property
    def shown(self) -> Image:
        """(channel, y, x) mean of what the sharpest frames show; what none of them does is bridged."""

        def frames() -> Iterator[tuple[Image, Mask, Image]]:
            for number in self.stack.order[:REFERENCE_FRAMES]:
                yield self.clean.take([number])[0], self.mask(int(number)), self._shift(int(number))

        mean, count = mean_of_known(frames())
        least = MIN_SHARE * min(REFERENCE_FRAMES, len(self.stack.order))
        return np.stack([filled_classically(*each) for each in zip(mean, count < least, strict=True)])

    def _shift(self, number: int) -> Image:
        """Where a frame has its target, dy dx, in the camera's pixels."""
        return np.asarray(self.stack.shifts[number] / self.stack.scale, np.float32)

    def reference(self, number: int) -> Image:
        """That mean (channel, y, x) where the frame has its target, and as bright."""
        moved = shift_frames(self.shown[None], self._shift(number)[None])[0]
        dark = np.percentile(moved, 1, axis=(-2, -1), keepdims=True)
        return np.asarray((moved - dark) * self.stack.gains[number][:, None, None] + dark, np.float32)


@dataclass
class Answers:
    """Filled values of all frames, in the order of their pixels."""

    starts: list[int]
    pixels: list[NDArray[np.int64]]
    before: list[Image]
    values: dict[str, list[Image]]


@step(version="2", passes="stack")
def fill(
    work: Work, frames: Product, clean: Product, mean: Product, stack: Product, settings: Fill, model: str = ""
) -> None:
    """Fill what each usable frame misses with the stack and a smooth surface through the difference to it."""
    net = model_named("fill", model)
    with (
        work.open(Frames, frames) as raw,
        open_clean_frames(work, clean) as cleaned,
        work.open(Mean, mean) as average,
        work.open(Stack, stack) as opened_stack,
    ):
        opened = Opened(raw, cleaned, opened_stack, average.bad[:], expected_light(average.mean[:]))
        content = _content(work, opened, settings, net)
    work.save(content)


def _filling(model: Model | None) -> Filling:
    """What each answer makes of a frame; both start from the reference with the frame's own air."""
    net = None if model is None else load(model)

    def filling(frame: Image, mask: Mask, reference: Image) -> dict[str, Image]:
        matched = matched_reference(frame, mask, reference)
        classical = filled_classically(frame, mask, matched)
        return {"classical": classical} | ({} if net is None else {"learned": filled(net, classical, mask, matched)})

    return filling


def _content(work: Work, opened: Opened, settings: Fill, model: Model | None) -> Filled:
    whole = opened.stack.mosaic == ""
    filling = _filling(model)
    answers = _answers(work, opened, filling if whole else None)
    if not answers.pixels or not sum(map(len, answers.pixels)):
        words = "no pixel is missing" if whole else "a raw mosaic is cleaned colour by colour, and not filled"
        return _made(opened, answers, Choice("none", words), settings, {})
    figures = _proved(opened, filling) | {"pixels_per_frame": float(np.mean(list(map(len, answers.pixels))))}
    fault = "" if model is None else _fault(figures, model)
    chosen = choice("fill", settings.mode, model, fault)
    return _made(opened, answers, chosen, settings, figures)


def _answers(work: Work, opened: Opened, filling: Filling | None) -> Answers:
    """Of every frame that is used, all that it misses; of the others nothing."""
    answers = Answers([0], [], [], {})
    flags = opened.stack.flags[:]
    for number, flag in enumerate(flags):
        mask = opened.mask(number) if filling is not None and not flag else np.zeros(0, bool)
        if filling is not None and mask.any():
            frame, reference = opened.clean.take([number])[0], opened.reference(number)
            answers.pixels.append(np.flatnonzero(mask))
            answers.before.append(frame[mask])
            planes = [filling(*each) for each in zip(frame, mask, reference, strict=True)]
            for name in planes[0]:
                answers.values.setdefault(name, []).append(np.stack([plane[name] for plane in planes])[mask])
        answers.starts.append(answers.starts[-1] + int(mask.sum()))
        work.progress(number + 1, len(flags) + 1)
    return answers


def _made(opened: Opened, answers: Answers, chosen: Choice, settings: Fill, figures: dict[str, Any]) -> Filled:
    best = int(opened.stack.order[0])
    pixels = np.concatenate([np.zeros(0, np.int64), *answers.pixels])
    values = {name: np.concatenate([np.zeros(0, np.float32), *each]) for name, each in answers.values.items()}
    before = np.concatenate([np.zeros(0, np.float32), *answers.before])
    shown = shown_part(before, values.get(chosen.used, before), settings.strength)
    frame = opened.clean.take([best])[0]
    preview, part = frame.copy(), slice(answers.starts[best], answers.starts[best + 1])
    preview.reshape(-1)[pixels[part]] = shown[part]
    return Filled(
        starts=np.array(answers.starts, np.int64),
        pixels=pixels,
        values=shown,
        classical=values.get("classical", before),
        before=frame,
        preview=preview,
        used=chosen.used,
        reason=chosen.reason,
        strength=settings.strength,
        model=chosen.model,
        card=dict(chosen.card),
        figures=figures,
        learned=values.get("learned"),
    )


def _proved(opened: Opened, filling: Filling) -> dict[str, Any]:
    """RMS error of each filling on good pixels that are hidden from it, and how wide the widest hole is."""
    missed: dict[str, list[float]] = {}
    widest = 0.0
    for number in opened.stack.order[:PROVED]:
        frame, reference, masks = opened.clean.take([number])[0], opened.reference(number), opened.mask(number)
        for plane, mask, expected in zip(frame, masks, reference, strict=True):
            hidden = proving_mask(mask, int(number))
            widest = max(widest, thickness_px(mask))
            both = mask | hidden
            for name, whole in {**filling(plane, both, expected), "surface": filled_classically(plane, both)}.items():
                missed.setdefault(name, []).append(_error(whole, plane, hidden))
    errors = {f"rms_error_{name}": float(np.sqrt(np.mean(each))) for name, each in missed.items()}
    return {**errors, "hole_px": widest}


def _error(whole: Image, frame: Image, hidden: Mask) -> float:
    return float(np.mean((whole - frame)[hidden] ** 2, dtype=np.float64))


def _fault(figures: dict[str, Any], model: Model) -> str:
    """What speaks against the learned filling, by good pixels that were hidden from it; empty: nothing."""
    outside = outside_domain(model, {"hole_px": figures["hole_px"]})
    if outside:
        return outside
    learned, classical = figures["rms_error_learned"], figures["rms_error_classical"]
    if learned > classical:
        return f"good pixels that were hidden come back with an error of {learned:.3g}, classically {classical:.3g}"
    return ""
