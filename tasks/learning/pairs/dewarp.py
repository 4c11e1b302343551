"""Pairs for dewarp: a wide target whose parts are moved by a smooth random field, against the mean of such frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from configs.training import Examples
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.judging import decibels, example_by_example
from tasks.learning.pairs.sequences import log_uniform, noisy, perfect_frame, scene_of
from tasks.numerics.finishing.local_shifts import local_field, warped
from tasks.numerics.networks.dewarp import unit_contrast
from tasks.numerics.networks.light import contrast

Image = NDArray[np.float32]
FRAMES = 16
"""Frames of a target, whose mean is the reference."""
RMS_PX = (0.6, 2.0)
"""Range of the field's rms."""
SMOOTH_PX = (8.0, 24.0)
"""Range of the width over which neighbours move together."""
EDGE_PX = 8
"""Border that does not count: what moved in from outside is not known."""
INNER = (slice(EDGE_PX, -EDGE_PX), slice(EDGE_PX, -EDGE_PX))
FLAT = 0.1
"""Places whose contrast is below this fraction of the picture's do not count: nothing can be matched there."""
ILK_RADII = (5, 7, 10)


def simulate(family: str, seeds: tuple[int, int], settings: Examples) -> Pairs:
    """Frames of one target, each moved by a field of its own; the reference is the mean of all of them, as the stack is."""
    rng = np.random.default_rng([seeds[1], 4])
    scene = scene_of(rng, seeds[1], settings, 1, 60.0)
    sharp = perfect_frame(family, seeds[0], scene)
    fields, rms = random_fields(sharp.shape, FRAMES, rng)
    sigma = log_uniform(rng, settings.air.noise)
    frames = noisy(np.stack([_moved(sharp, field) for field in fields]), sigma, rng)
    reference = frames.mean(axis=0, dtype=np.float32)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(sharp**2, 9) - ndimage.uniform_filter(sharp, 9) ** 2, 0))
    weight = np.asarray((spread > FLAT * sharp.std())[None, None], np.float32)
    weight[..., :EDGE_PX, :] = weight[..., -EDGE_PX:, :] = weight[..., :EDGE_PX] = weight[..., -EDGE_PX:] = 0
    light = contrast(reference)
    facts = np.concatenate([[sigma / light.scale, rms], light.of(sharp).ravel()]).astype(np.float32)[None]
    return joined(
        Pairs(
            inputs=unit_contrast(frame, reference)[None],
            classical=local_field(frame, reference)[None],
            truth=field[None],
            weight=weight,
            conditions=np.zeros((1, 0), np.float32),
            facts=facts,
            seeds=np.array([seeds]),
        )
        for frame, field in zip(frames[: settings.pictures], fields, strict=False)
    )


def random_fields(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> tuple[Image, float]:
    """Fields (field, 2, y, x) dy, dx px whose mean is zero: the mean frame is where the target is; and their rms."""
    smooth, rms = float(rng.uniform(*SMOOTH_PX)), float(rng.uniform(*RMS_PX))
    noise = rng.standard_normal((count, 2, *shape))
    fields = ndimage.gaussian_filter(noise, (0, 0, smooth, smooth), mode="wrap")
    fields -= fields.mean(axis=0)
    return np.asarray(fields * rms / fields.std(), np.float32), rms


def _moved(sharp: Image, field: Image) -> Image:
    """A frame with frame(p + field(p)) = sharp(p): the field is inverted by iteration."""
    grid = np.indices(sharp.shape, dtype=np.float32)
    back = np.zeros_like(field)
    for _ in range(8):
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

    `surer_half` is one number for all of them: their places, taken together, are halved by the stated error. The stacks
    are those of the frames of one sky.
    """
    figures = _distances(pairs, answers)
    for name, fields in (("grid_stack_db", pairs.classical), ("learned_stack_db", answers[:, :2])):
        figures[name] = _stack_db(pairs, fields)
    figures["stack_behind_grid_db"] = figures["grid_stack_db"] - figures["learned_stack_db"]
    return {**figures, "surer_half": np.full(len(pairs), surer_half(pairs, answers))}


def _stack_db(pairs: Pairs, fields: Image) -> NDArray[np.float64]:
    """Of each example: how near the truth the mean of its sky's frames is, each moved by its field."""
    moved = np.stack([warped(frame, field) for frame, field in zip(pairs.inputs[:, 0], fields, strict=True)])
    sharp = pairs.facts[:, 2:].reshape(moved.shape)
    found = np.empty(len(pairs))
    for sky in np.unique(pairs.seeds[:, 0]):
        mine = pairs.seeds[:, 0] == sky
        found[mine] = decibels(sharp[mine][0][INNER], moved[mine].mean(axis=0)[INNER])
    return found


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
