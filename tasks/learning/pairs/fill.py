"""Pairs for fill: frames with missing pixels, columns and blocks, filled classically with the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from configs.training import Training
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.sequences import FAST, clean_frames, log_uniform, noisy, scene_of
from tasks.numerics.finishing.fill import filled_classically

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
FRAMES = 24
LONE_PIXELS = 0.003
"""Fraction of lone missing pixels."""
BLOCK_PX = (3, 15)
"""Side of a missing block."""


def simulate(family: str, seeds: tuple[int, int], settings: Training) -> Pairs:
    """Frames of one sequence with holes; the reference is the mean of all frames."""
    rng = np.random.default_rng([seeds[1], 3])
    scene = scene_of(rng, seeds[1], settings, FRAMES, FAST)
    clean = clean_frames(family, seeds[0], scene)
    sigma = log_uniform(rng, settings.air.noise)
    frames = noisy(clean, sigma, rng)
    reference = frames.mean(axis=0, dtype=np.float32)
    numbers = rng.permutation(FRAMES)[: settings.pictures]
    return joined(_pair(frames[n], clean[n], reference, rng, seeds) for n in numbers)


def holes(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Mask, int]:
    """Lone pixels, a column and some blocks of one size; and that size, px."""
    mask = rng.random(shape) < LONE_PIXELS
    mask[:, rng.integers(2, shape[1] - 2)] = True
    side = int(rng.integers(BLOCK_PX[0], BLOCK_PX[1] + 1))
    for _ in range(4):
        top, left = rng.integers(2, np.array(shape) - side - 2)
        mask[top : top + side, left : left + side] = True
    return mask, side


def _pair(frame: Image, clean: Image, reference: Image, rng: np.random.Generator, seeds: tuple[int, int]) -> Pairs:
    mask, side = holes(frame.shape, rng)
    classical = filled_classically(np.where(mask, np.float32(0), frame), mask, reference)
    low, scale = float(reference.min()), max(float(np.ptp(reference)), 1e-30)
    planes = np.stack([mask.astype(np.float32) * scale + low, reference, classical, clean])
    planes = np.asarray((planes - low) / scale, np.float32)[None]
    nothing = np.zeros((1, 0), np.float32)
    alone = filled_classically(np.where(mask, np.float32(0), frame), mask)
    inside = float(np.mean((alone - clean)[mask] ** 2, dtype=np.float64)) / scale**2
    facts = np.array([[side, inside]], np.float32)
    return Pairs(
        planes[:, :2],
        planes[:, 2:3],
        planes[:, 3:],
        mask[None, None].astype(np.float32),
        nothing,
        facts,
        np.array([seeds]),
    )


def domain(pairs: Pairs) -> dict[str, Image]:
    """The range in which a model may be used: side of the largest hole; lone pixels are always among them."""
    return {"hole_px": np.append(pairs.facts[:, 0], np.float32(1))}


def judged(pairs: Pairs, answers: Image) -> dict[str, NDArray[np.float64]]:
    """Per example: dB inside the holes, of the classical and the learned answer."""
    rows = [_judged_one(pairs, answers, number) for number in range(len(pairs))]
    return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}


def _judged_one(pairs: Pairs, answers: Image, number: int) -> dict[str, float]:
    mask, truth = pairs.weight[number, 0] > 0, pairs.truth[number, 0]
    classical, learned = pairs.classical[number, 0], answers[number, 0]
    before, after = _db(truth, classical, mask), _db(truth, learned, mask)
    alone = 10 * np.log10(float(np.ptp(truth)) ** 2 / max(float(pairs.facts[number, 1]), 1e-20))
    return {
        "gain": after - before,
        "classical_db": before,
        "learned_db": after,
        "classical_over_biharmonic": before - alone,
        "changed_outside": float(np.abs(learned - classical)[~mask].max()),
        "level": abs(float((learned - truth)[mask].mean())),
    }


def _db(truth: Image, picture: Image, mask: Mask) -> float:
    error = float(np.mean((truth - picture)[mask] ** 2, dtype=np.float64))
    return 10 * np.log10(float(np.ptp(truth)) ** 2 / max(error, 1e-20))
