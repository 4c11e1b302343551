"""Local shifts: found on a target that fills the field, to a fraction of a pixel, and undone by warping."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import optical_flow_ilk

from tasks.numerics.finishing.local_shifts import consistency_px, detail, fills_field, local_field, warped
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]
INNER = (slice(12, -12), slice(12, -12))


def shimmered(family: str, noise: float = 0.02) -> tuple[Image, Image, Image]:
    """(frame, reference, true field): reference(p) = frame(p + field(p))."""
    rng = np.random.default_rng(4)
    sky = TARGETS[family](96, np.random.default_rng(7))
    reference = np.asarray(ndimage.gaussian_filter(sky, 1.2), np.float32)
    waves = np.stack([ndimage.gaussian_filter(rng.normal(size=sky.shape), 14, mode="wrap") for _ in range(2)])
    field = np.asarray(1.5 * waves / waves.std(), np.float32)
    back = np.zeros_like(field)
    for _ in range(12):
        grid = np.indices(sky.shape) + back
        back = -np.stack([ndimage.map_coordinates(axis, grid, order=1, mode="nearest") for axis in field])
    frame = warped(np.asarray(ndimage.gaussian_filter(sky, 1.4), np.float32), back)
    return frame + rng.normal(0, noise, sky.shape).astype(np.float32), reference, field


def endpoint_error(field: Image, truth: Image) -> float:
    return float(np.hypot(*(field - truth))[INNER].mean())


@pytest.mark.parametrize("family", ["moon", "sun"])
def test_a_fraction_of_the_shimmer_is_left(family: str) -> None:
    frame, reference, truth = shimmered(family)
    found = endpoint_error(local_field(frame, reference), truth)
    assert found < 0.25 * endpoint_error(np.zeros_like(truth), truth)
    assert found < 1.1 * min(endpoint_error(optical_flow_ilk(reference, frame, radius=r), truth) for r in (5, 7))


def test_the_warped_frame_is_nearer_to_the_reference() -> None:
    frame, reference, _ = shimmered("moon")
    moved = warped(frame, local_field(frame, reference))
    assert np.std((moved - reference)[INNER]) < 0.6 * np.std((frame - reference)[INNER])


def test_there_and_back_meets_its_start_where_the_motion_is_true() -> None:
    frame, reference, _ = shimmered("moon")
    there, back = local_field(frame, reference), local_field(reference, frame)
    assert np.median(consistency_px(there, back)[INNER]) < 0.3
    noise = np.random.default_rng(1).normal(0, 1, (2, 96, 96)).astype(np.float32)
    wild = consistency_px(local_field(noise[0], noise[1]), local_field(noise[1], noise[0]))
    assert np.median(wild[INNER]) > 1


def test_a_whole_shift_is_found_everywhere() -> None:
    sky = np.asarray(ndimage.gaussian_filter(TARGETS["moon"](96, np.random.default_rng(2)), 1.2), np.float32)
    field = local_field(np.roll(sky, (2, -1), (0, 1)), sky)
    assert np.abs(field[0][INNER] - 2).mean() < 0.1
    assert np.abs(field[1][INNER] + 1).mean() < 0.1


def test_flat_frames_do_no_harm() -> None:
    field = local_field(np.ones((40, 50), np.float32), np.ones((40, 50), np.float32))
    assert field.shape == (2, 40, 50)
    assert np.isfinite(field).all()


def test_which_targets_fill_the_field() -> None:
    inner = (slice(32, -32), slice(32, -32))
    skies = {family: draw(192, np.random.default_rng(3))[inner] for family, draw in TARGETS.items()}
    assert {family for family, sky in skies.items() if fills_field(sky)} == {"moon", "sun"}
    assert not fills_field(np.zeros((40, 40), np.float32))


def test_detail_falls_with_blur() -> None:
    sky = TARGETS["moon"](96, np.random.default_rng(2))
    sharp = [detail(np.asarray(ndimage.gaussian_filter(sky, s), np.float32)) for s in (0.5, 1.0, 2.0)]
    assert sharp == sorted(sharp, reverse=True)
