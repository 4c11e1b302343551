"""Pairs for dewarp: a wide target whose parts are moved by a smooth random field, against a somewhat blurred reference."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from configs.training import Examples
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.judging import example_by_example
from tasks.learning.pairs.sequences import log_uniform, noisy, perfect_frame, scene_of
from tasks.numerics.finishing.local_shifts import local_field
from tasks.numerics.networks.dewarp import unit_contrast
from tasks.numerics.networks.light import contrast

Image = NDArray[np.float32]
RMS_PX = (0.6, 2.0)
"""Range of the field's rms."""
SMOOTH_PX = (8.0, 24.0)
"""Range of the width over which neighbours move together."""
EDGE_PX = 8
"""Border that does not count: what moved in from outside is not known."""
FLAT = 0.1
"""Places whose contrast is below this fraction of the picture's do not count: nothing can be matched there."""
ILK_RADII = (5, 7, 10)


def simulate(family: str, seeds: tuple[int, int], settings: Examples) -> Pairs:
    """Frames of one target, each moved by a field of its own."""
    rng = np.random.default_rng([seeds[1], 4])
    scene = scene_of(rng, seeds[1], settings, 1, 60.0)
    sharp = perfect_frame(family, seeds[0], scene)
    return joined(_pair(sharp, settings, rng, seeds) for _ in range(settings.pictures))


def random_field(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Image, float]:
    """A field (2, y, x) dy, dx px, and its rms."""
    smooth, rms = float(rng.uniform(*SMOOTH_PX)), float(rng.uniform(*RMS_PX))
    field = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), smooth, mode="wrap") for _ in range(2)])
    return np.asarray(field * rms / field.std(), np.float32), rms


def _pair(sharp: Image, settings: Examples, rng: np.random.Generator, seeds: tuple[int, int]) -> Pairs:
    field, rms = random_field(sharp.shape, rng)
    sigma = log_uniform(rng, settings.air.noise)
    reference = noisy(
        np.asarray(ndimage.gaussian_filter(sharp, float(rng.uniform(0.5, 1.2))), np.float32), sigma / 5, rng
    )
    frame = noisy(_moved(sharp, field), sigma, rng)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(sharp**2, 9) - ndimage.uniform_filter(sharp, 9) ** 2, 0))
    weight = (spread > FLAT * sharp.std()).astype(np.float32)
    weight[:EDGE_PX] = weight[-EDGE_PX:] = weight[:, :EDGE_PX] = weight[:, -EDGE_PX:] = 0
    return Pairs(
        inputs=unit_contrast(frame, reference)[None],
        classical=local_field(frame, reference)[None],
        truth=field[None],
        weight=weight[None, None],
        conditions=np.zeros((1, 0), np.float32),
        facts=np.array([[sigma / contrast(reference).scale, rms]], np.float32),
        seeds=np.array([seeds]),
    )


def _moved(sharp: Image, field: Image) -> Image:
    """A frame with frame(p + field(p)) = sharp(p): the field is inverted by iteration."""
    grid = np.indices(sharp.shape, dtype=np.float32)
    back = np.zeros_like(field)
    for _ in range(12):
        back = -np.stack([ndimage.map_coordinates(axis, grid + back, order=1, mode="nearest") for axis in field])
    return np.asarray(ndimage.map_coordinates(sharp, grid + back, order=3, mode="nearest"), np.float32)


def field_loss(answer: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean distance (n,) px, and how well the stated error fits it (three tenths of a Laplacian likelihood)."""
    distance = torch.sqrt(((answer[:, :2] - truth[:, :2]) ** 2).sum(1, keepdim=True) + 1e-4)
    level = answer[:, 2:3].clamp(-5, 3)
    stated = distance.detach() * torch.exp(-level) + level
    count = weight.sum((1, 2, 3)) + 1e-6
    return (distance * weight).sum((1, 2, 3)) / count + 0.3 * (stated * weight).sum((1, 2, 3)) / count


def domain(pairs: Pairs) -> dict[str, Image]:
    """The range in which a model may be used: noise over the reference's contrast, and how far the parts move."""
    return {"relative_sigma": pairs.facts[:, 0], "rms_px": pairs.facts[:, 1]}


def judged(pairs: Pairs, answers: Image) -> dict[str, NDArray[np.float64]]:
    """Per example: mean distance to the true field of the grid, of optical flow (ILK) and of the learned answer.

    `surer_half` is one number for all of them: their places, taken together, are halved by the stated error.
    """
    return {**_distances(pairs, answers), "surer_half": np.full(len(pairs), surer_half(pairs, answers))}


def surer_half(pairs: Pairs, answers: Image) -> float:
    """Mean distance where the stated error is below its median, over that where it is above."""
    mask = pairs.weight[:, 0] > 0
    found = np.hypot(*np.moveaxis(answers[:, :2] - pairs.truth, 1, 0))[mask]
    sure = answers[:, 2][mask] <= np.median(answers[:, 2][mask])
    return float(found[sure].mean() / found[~sure].mean()) if sure.any() and not sure.all() else 1.0


@example_by_example
def _distances(pairs: Pairs, answers: Image, number: int) -> dict[str, float]:
    from skimage.registration import optical_flow_ilk

    mask, truth = pairs.weight[number, 0] > 0, pairs.truth[number]
    frame, reference = pairs.inputs[number]
    grid, learned = _distance(pairs.classical[number], truth)[mask], _distance(answers[number, :2], truth)[mask]
    flows = [_distance(np.asarray(optical_flow_ilk(reference, frame, radius=r), np.float32), truth) for r in ILK_RADII]
    best = min(float(flow[mask].mean()) for flow in flows)
    mean = float(learned.mean())
    return {
        "gain": 1 - mean / float(grid.mean()),
        "zero_px": float(np.hypot(*truth)[mask].mean()),
        "grid_px": float(grid.mean()),
        "ilk_px": best,
        "learned_px": mean,
        "over_ilk": mean / best,
        "surer_half_within": surer_half(pairs.at(slice(number, number + 1)), answers[number : number + 1]),
    }


def _distance(field: Image, truth: Image) -> Image:
    return np.asarray(np.hypot(*(field - truth)), np.float32)
