"""Pairs for fill: frames with missing pixels, columns and blocks, filled classically with the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from configs.training import Examples
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.judging import decibels, decibels_of, example_by_example
from tasks.learning.pairs.sequences import FAST, clean_frames, log_uniform, noisy, scene_of
from tasks.numerics.finishing.fill import filled_classically
from tasks.numerics.networks.fill import fill_inputs
from tasks.numerics.networks.light import light_range

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
FRAMES = 24
LONE_PIXELS = 0.003
"""Fraction of lone missing pixels."""
BLOCK_PX = (3, 15)
"""Side of a missing block."""


def simulate(family: str, seeds: tuple[int, int], settings: Examples) -> Pairs:
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
    alone = filled_classically(np.where(mask, np.float32(0), frame), mask)
    light = light_range(reference)
    missed = float(np.mean((alone - clean)[mask] ** 2, dtype=np.float64)) / light.scale**2
    return Pairs(
        inputs=fill_inputs(mask, reference, light)[None],
        classical=light.of(classical)[None, None],
        truth=light.of(clean)[None, None],
        weight=mask[None, None].astype(np.float32),
        conditions=np.zeros((1, 0), np.float32),
        facts=np.array([[side, missed]], np.float32),
        seeds=np.array([seeds]),
    )


def domain(pairs: Pairs) -> dict[str, Image]:
    """The range in which a model may be used: side of the largest hole; lone pixels are always among them."""
    return {"hole_px": np.append(pairs.facts[:, 0], np.float32(1))}


@example_by_example
def judged(pairs: Pairs, answers: Image, number: int) -> dict[str, float]:
    """dB inside the holes, of the classical and of the learned answer."""
    mask, truth = pairs.weight[number, 0] > 0, pairs.truth[number, 0]
    classical, learned = pairs.classical[number, 0], answers[number, 0]
    before, after = decibels(truth, classical, mask), decibels(truth, learned, mask)
    alone = decibels_of(float(pairs.facts[number, 1]), float(np.ptp(truth)))
    return {
        "gain": after - before,
        "classical_db": before,
        "learned_db": after,
        "classical_over_biharmonic": before - alone,
        "changed_outside": float(np.abs(learned - classical)[~mask].max()),
        "level": abs(float((learned - truth)[mask].mean())),
    }
