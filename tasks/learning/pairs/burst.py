"""Pairs for burst: short sequences that turn, shimmer or are new in every frame; the predicted frame is never an input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from configs.training import Training
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.sequences import FAST, SLOW, clean_frames, log_uniform, noisy, scene_of
from tasks.numerics.finishing.window_mean import better_of, non_local, residual_ratio, without_frame
from tasks.numerics.networks.burst import light_range, neighbours_of, noise_condition

Image = NDArray[np.float32]
FRAMES = 24
TARGETS = ("planet", "moon", "galaxy", "sun")
"""What is trained on; the families of the satellite are only tested on."""
RESIDUAL = (0.97, 1.10)
"""Range of the residual over the noise for an answer that has not seen the frame."""
KINDS = {"rotating": (SLOW, 1.5), "turbulent": (SLOW, 0.0), "independent": (FAST, 0.0)}
"""Kind: frames per second, degrees that the target turns from frame to frame."""


def simulate(family: str, seeds: tuple[int, int], settings: Training) -> Pairs:
    """Some frames of one sequence; a family is a kind of change, and whether the target is one that is trained on."""
    kind, _, unseen = family.partition(" ")
    rng = np.random.default_rng([seeds[1], 2])
    fps, turn = KINDS[kind]
    scene = scene_of(rng, seeds[1], settings, FRAMES, fps)
    target = unseen or TARGETS[seeds[0] % len(TARGETS)]
    clean = clean_frames(target, seeds[0], scene, turn)
    sigma = log_uniform(rng, settings.air.noise)
    frames = noisy(clean, sigma, rng)
    numbers = rng.permutation(FRAMES)[: settings.pictures]
    return joined(_pair(frames, clean, int(number), sigma, seeds) for number in numbers)


def _pair(frames: Image, clean: Image, number: int, sigma: float, seeds: tuple[int, int]) -> Pairs:
    others = np.delete(frames, number, axis=0).mean(axis=0, dtype=np.float32)
    low, scale = light_range(others)
    blind = without_frame(frames, number, sigma)
    classical, yardstick = blind.picture, better_of(blind, non_local(frames[number], sigma)).picture
    near = frames[list(neighbours_of(number, len(frames)))]
    stacked = np.concatenate([near, others[None], classical[None], clean[number][None]])
    planes = np.asarray((stacked - low) / scale, np.float32)[None]
    judge = np.stack([(frames[number] - low) / scale, (yardstick - low) / scale])
    facts = np.concatenate([[sigma / scale], judge.ravel()]).astype(np.float32)
    conditions = np.array([[noise_condition(sigma / scale)]], np.float32)
    one = np.ones((1, 1, *others.shape), np.float32)
    return Pairs(planes[:, :5], planes[:, 5:6], planes[:, 6:7], one, conditions, facts[None], np.array([seeds]))


def domain(pairs: Pairs) -> dict[str, Image]:
    """The range in which a model may be used: the noise of a frame over the range of light."""
    return {"relative_sigma": pairs.facts[:, 0]}


def judged(pairs: Pairs, answers: Image) -> dict[str, NDArray[np.float64]]:
    """Per example: dB against the clean frame, of the best classical answer (non-local means among them) and the learned one."""
    rows = [_judged_one(pairs, answers, number) for number in range(len(pairs))]
    return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}


def _judged_one(pairs: Pairs, answers: Image, number: int) -> dict[str, float]:
    truth, sigma = pairs.truth[number, 0], float(pairs.facts[number, 0])
    frame, yardstick = pairs.facts[number, 1:].reshape(2, *truth.shape)
    learned, classical = answers[number, 0], pairs.classical[number, 0]
    ratio = residual_ratio(learned, frame, sigma)
    best = max(_db(truth, yardstick), _db(truth, classical))
    return {
        "gain": _db(truth, learned) - best,
        "frame_db": _db(truth, frame),
        "best_classical_db": best,
        "learned_db": _db(truth, learned),
        "residual_ratio": ratio,
        "residual_excess": max(RESIDUAL[0] - ratio, ratio - RESIDUAL[1], 0.0),
    }


def _db(truth: Image, picture: Image) -> float:
    error = float(np.mean((truth - picture) ** 2, dtype=np.float64))
    return 10 * np.log10(float(np.ptp(truth)) ** 2 / max(error, 1e-20))
