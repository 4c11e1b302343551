"""Pairs for burst: short sequences that turn, shimmer or are new in every frame; the predicted frame is never an input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from configs.training import Examples
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.judging import decibels, example_by_example
from tasks.learning.pairs.sequences import FAST, SLOW, clean_frames, log_uniform, noisy, scene_of
from tasks.numerics.finishing.window_mean import better_of, non_local, residual_ratio, without_frame
from tasks.numerics.networks.burst import neighbours_of, noise_condition
from tasks.numerics.networks.light import light_range

Image = NDArray[np.float32]
FRAMES = 24
TARGETS = ("planet", "moon", "galaxy", "sun")
"""What is trained on; the families of the satellite are only tested on."""
RESIDUAL = (0.97, 1.10)
"""Range of the residual over the noise for an answer that has not seen the frame."""
KINDS = {"rotating": (SLOW, 1.5), "turbulent": (SLOW, 0.0), "independent": (FAST, 0.0)}
"""Kind: frames per second, degrees that the target turns from frame to frame."""


def simulate(family: str, seeds: tuple[int, int], settings: Examples) -> Pairs:
    """Some frames of one sequence; a family is a kind of change, and whether the target is one that is trained on."""
    kind, _, unseen = family.partition(" ")
    rng = np.random.default_rng([seeds[1], 2])
    fps, turn_deg = KINDS[kind]
    scene = scene_of(rng, seeds[1], settings, FRAMES, fps)
    target = unseen or TARGETS[seeds[0] % len(TARGETS)]
    clean = clean_frames(target, seeds[0], scene, turn_deg)
    sigma = log_uniform(rng, settings.air.noise)
    frames = noisy(clean, sigma, rng)
    numbers = rng.permutation(FRAMES)[: settings.pictures]
    return joined(_pair(frames, clean, int(number), sigma, seeds) for number in numbers)


def _pair(frames: Image, clean: Image, number: int, sigma: float, seeds: tuple[int, int]) -> Pairs:
    others = np.delete(frames, number, axis=0).mean(axis=0, dtype=np.float32)
    light = light_range(others)
    blind = without_frame(frames, number, sigma)
    yardstick = better_of(blind, non_local(frames[number], sigma)).picture
    near = frames[list(neighbours_of(number, len(frames)))]
    judge = light.of(np.stack([frames[number], yardstick]))
    relative = sigma / light.scale
    return Pairs(
        inputs=light.of(np.concatenate([near, others[None]]))[None],
        classical=light.of(blind.picture)[None, None],
        truth=light.of(clean[number])[None, None],
        weight=np.ones((1, 1, *others.shape), np.float32),
        conditions=np.array([[noise_condition(relative)]], np.float32),
        facts=np.concatenate([[relative], judge.ravel()]).astype(np.float32)[None],
        seeds=np.array([seeds]),
    )


def domain(pairs: Pairs) -> dict[str, Image]:
    """The range in which a model may be used: the noise of a frame over the range of light."""
    return {"relative_sigma": pairs.facts[:, 0]}


@example_by_example
def judged(pairs: Pairs, answers: Image, number: int) -> dict[str, float]:
    """dB against the clean frame, of the best classical answer (non-local means among them) and of the learned one."""
    truth, sigma = pairs.truth[number, 0], float(pairs.facts[number, 0])
    frame, yardstick = pairs.facts[number, 1:].reshape(2, *truth.shape)
    learned, classical = answers[number, 0], pairs.classical[number, 0]
    ratio = residual_ratio(learned, frame, sigma)
    best = max(decibels(truth, yardstick), decibels(truth, classical))
    return {
        "gain": decibels(truth, learned) - best,
        "frame_db": decibels(truth, frame),
        "best_classical_db": best,
        "learned_db": decibels(truth, learned),
        "residual_ratio": ratio,
        "residual_excess": max(RESIDUAL[0] - ratio, ratio - RESIDUAL[1], 0.0),
    }
