"""burst: a clean movie of what changes, each frame from the others; none of it enters the sky."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.finishing import Burst
from storage.models import Model
from storage.product import Product
from tasks.learning.chosen import choice, model_named, outside_domain
from tasks.learning.registry import load
from tasks.numerics.finishing.richardson_lucy import shown_part
from tasks.numerics.finishing.window_mean import (
    Estimate,
    best_classical,
    error_map,
    estimate_of,
    fused,
    high_pass_noise,
    residual_ratio,
    without_frame,
)
from tasks.numerics.networks.burst import neighbours_of, predicted
from tasks.numerics.networks.light import light_range
from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import Stack
from tasks.products.finished_contents import Movie
from tasks.products.registered import Registered, around_the_sharpest, open_filled
from tasks.running.step import Work, step

Image = NDArray[np.float32]
MIN_FRAMES = 5
"""A frame is predicted from four others."""
RATIO = (0.97, 1.10)
"""What a learned answer may leave of the frames, over the noise: less is copied noise, more is lost detail."""


@dataclass(frozen=True)
class Channel:
    """A channel of the burst, its noise, and the answers to each frame."""

    frames: Image
    """(frame, y, x)."""
    sigma: float
    classical: list[Estimate]
    learned: list[Estimate]
    """Empty where there is no model."""


@step(version="2", passes="stack")
def burst(work: Work, frames: Product, stack: Product, filled: Product, settings: Burst, model: str = "") -> None:
    """Clean consecutive registered frames of their noise, with its standard error that is left."""
    with (
        open_clean_frames(work, frames) as clean,
        work.open(Stack, stack) as opened_stack,
        open_filled(work, filled) as pixels,
    ):
        numbers = around_the_sharpest(opened_stack, settings.frames)
        planes = np.moveaxis(Registered(clean, opened_stack, pixels).frames(numbers), 1, 0)
    net = model_named("burst", model)
    channels = []
    for number, plane in enumerate(planes):
        channels.append(_channel(plane, net))
        work.progress(number + 1, len(planes))
    content = _content(numbers, channels, settings, net)
    work.save(content)


def _channel(frames: Image, model: Model | None) -> Channel:
    sigma = high_pass_noise(frames)
    classical = [best_classical(frames, number, sigma) for number in range(len(frames))]
    return Channel(
        frames, sigma, classical, [] if model is None or len(frames) < MIN_FRAMES else _learned(frames, sigma, model)
    )


def _learned(frames: Image, sigma: float, model: Model) -> list[Estimate]:
    net, found = load(model), []
    for number in range(len(frames)):
        others = np.delete(frames, number, axis=0).mean(axis=0, dtype=np.float32)
        base = without_frame(frames, number, sigma).picture
        near = frames[list(neighbours_of(number, len(frames)))]
        answer = predicted(net, near, others, base, sigma)
        found.append(estimate_of(answer, frames[number], sigma, "learned"))
    return found


def _content(numbers: NDArray[np.int64], channels: list[Channel], settings: Burst, model: Model | None) -> Movie:
    faults = "" if model is None else next((f for each in channels if (f := _fault(each, model))), "")
    chosen = choice("burst", settings.mode, model, faults)
    shown = [_shown(each, learned=chosen.used == "learned" and bool(each.learned)) for each in channels]
    movies = [
        shown_part(each.frames, movie, settings.strength) for each, (movie, _) in zip(channels, shown, strict=True)
    ]
    learned = (
        None if not channels[0].learned else np.stack([[e.picture for e in each.learned] for each in channels], axis=1)
    )
    return Movie(
        numbers=numbers,
        movie=np.stack(movies, axis=1),
        sigma=np.stack([sigma for _, sigma in shown], axis=1),
        classical=np.stack([[e.picture for e in each.classical] for each in channels], axis=1),
        before=np.stack([each.frames[len(numbers) // 2] for each in channels]),
        methods=[estimate.method for estimate in channels[0].classical],
        used=chosen.used,
        reason=chosen.reason,
        strength=settings.strength,
        model=chosen.model,
        card=dict(chosen.card),
        figures=[_figures(each, movie) for each, movie in zip(channels, movies, strict=True)],
        learned=None if learned is None else np.asarray(learned, np.float32),
    )


def _shown(channel: Channel, learned: bool) -> tuple[Image, Image]:
    """Movie and standard error (frame, y, x): answers that never saw the frame are fused with it."""
    pictures, errors = [], []
    for frame, estimate in zip(channel.frames, channel.learned if learned else channel.classical, strict=True):
        whole = estimate if estimate.saw_frame else fused(estimate, frame, channel.sigma)
        pictures.append(whole.picture)
        errors.append(error_map(estimate, whole, frame, channel.sigma))
    return np.stack(pictures), np.stack(errors)


def _mean_error(estimates: list[Estimate]) -> float:
    return float(np.mean([each.mse for each in estimates]))


def _ratio(channel: Channel, estimates: list[Estimate]) -> float:
    pairs = zip(estimates, channel.frames, strict=True)
    return float(np.median([residual_ratio(each.picture, frame, channel.sigma) for each, frame in pairs]))


def _fault(channel: Channel, model: Model) -> str:
    """What speaks against the learned answer, by the frames that it never saw; empty: nothing."""
    if not channel.learned:
        return f"it needs {MIN_FRAMES} frames"
    relative = channel.sigma / light_range(channel.frames.mean(axis=0)).scale
    outside = outside_domain(model, {"relative_sigma": relative})
    if outside:
        return outside
    ratio = _ratio(channel, channel.learned)
    if not RATIO[0] <= ratio <= RATIO[1]:
        return f"it leaves {ratio:.2f} of the noise in the frames, {RATIO[0]} to {RATIO[1]} are right"
    learned, classical = _mean_error(channel.learned), _mean_error(channel.classical)
    if learned > classical:
        return f"its squared error {learned:.3g} is above the classical {classical:.3g}"
    return ""


def _figures(channel: Channel, movie: Image) -> dict[str, Any]:
    """The noise before and after, and what is left of it in the frames."""
    answers = {"classical": channel.classical, **({"learned": channel.learned} if channel.learned else {})}
    errors = {f"rms_error_{name}": _mean_error(each) ** 0.5 for name, each in answers.items()}
    ratios = {f"residual_ratio_{name}": _ratio(channel, each) for name, each in answers.items()}
    return {"noise": channel.sigma, "change_rms": float(np.std(movie - channel.frames)), **errors, **ratios}
