"""Pairs for fill: frames with missing pixels, columns and blocks, filled classically with the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from configs.training import Examples
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.judging import decibels, decibels_of, example_by_example
from tasks.learning.pairs.sequences import FAST, clean_frames, log_uniform, noisy, scene_of
from tasks.numerics.finishing.fill import filled_classically, matched_reference
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
    """Frames of one sequence with holes; the reference is the mean of the other frames, matched to the frame."""
    rng = np.random.default_rng([seeds[1], 3])
    scene = scene_of(rng, seeds[1], settings, FRAMES, FAST)
    clean = clean_frames(family, seeds[0], scene)
    sigma = log_uniform(rng, settings.air.noise)
    frames = noisy(clean, sigma, rng)
    numbers = rng.permutation(FRAMES)[: settings.pictures]
    return joined(_pair(frames, clean, int(n), rng, seeds) for n in numbers)


def holes(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Mask, int]:
    """Lone pixels, a column and some blocks of one size; and that size, px."""
    mask = rng.random(shape) < LONE_PIXELS
    mask[:, rng.integers(2, shape[1] - 2)] = True
    side = int(rng.integers(BLOCK_PX[0], BLOCK_PX[1] + 1))
    for _ in range(4):
        top, left = rng.integers(2, np.array(shape) - side - 2)
        mask[top : top + side, left : left + side] = True
    return mask, side


def _pair(frames: Image, clean: Image, number: int, rng: np.random.Generator, seeds: tuple[int, int]) -> Pairs:
    frame, truth = frames[number], clean[number]
    mask, side = holes(frame.shape, rng)
    torn = np.where(mask, np.float32(0), frame)
    mean = np.delete(frames, number, axis=0).mean(axis=0, dtype=np.float32)
    reference = matched_reference(torn, mask, mean)
    classical = filled_classically(torn, mask, reference)
    alone, unmatched = filled_classically(torn, mask), filled_classically(torn, mask, mean)
    light = light_range(reference)
    missed = [
        float(np.mean((each - truth)[mask] ** 2, dtype=np.float64)) / light.scale**2 for each in (alone, unmatched)
    ]
    return Pairs(
        inputs=fill_inputs(mask, reference, light)[None],
        classical=light.of(classical)[None, None],
        truth=light.of(truth)[None, None],
        weight=mask[None, None].astype(np.float32),
        conditions=np.zeros((1, 0), np.float32),
        facts=np.array([[side, *missed]], np.float32),
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
    alone, unmatched = (decibels_of(float(each), float(np.ptp(truth))) for each in pairs.facts[number, 1:])
    return {
        "gain": after - before,
        "classical_db": before,
        "learned_db": after,
        "classical_over_biharmonic": before - alone,
        "classical_over_plain_reference": before - unmatched,
        "changed_outside": float(np.abs(learned - classical)[~mask].max()),
        "level": abs(float((learned - truth)[mask].mean())),
    }
