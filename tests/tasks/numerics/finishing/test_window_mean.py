"""One clean frame of a burst: the method that its own frame says is best, and errors that are the true ones."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tasks.numerics.finishing.window_mean import (
    best_classical,
    error_map,
    estimate_of,
    fused,
    high_pass_noise,
    non_local,
    residual_ratio,
    without_frame,
)
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]
SIGMA, MIDDLE = 0.1, 8


def burst(turn_deg: float) -> tuple[Image, Image]:
    """(frames, their truth) of a satellite that turns by so much per frame."""
    sky = ndimage.gaussian_filter(TARGETS["satellite"](128, np.random.default_rng(7)), 1.2)
    turned = [ndimage.rotate(sky, turn_deg * k, reshape=False, order=1)[24:104, 24:104] for k in range(2 * MIDDLE + 1)]
    truth = np.stack(turned).astype(np.float32)
    return truth + np.random.default_rng(1).normal(0, SIGMA, truth.shape).astype(np.float32), truth


def error(picture: Image, truth: Image) -> float:
    return float(np.mean((picture - truth) ** 2))


def test_of_a_still_target_little_noise_is_left() -> None:
    frames, truth = burst(0.0)
    found = without_frame(frames, MIDDLE, SIGMA)
    assert error(found.picture, truth[MIDDLE]) < SIGMA**2 / (len(frames) - 1)
    assert residual_ratio(found.picture, frames[MIDDLE], SIGMA) == pytest.approx(1.03, abs=0.05)


def test_the_neighbours_of_a_turning_target_are_turned() -> None:
    frames, truth = burst(4.0)
    found = without_frame(frames, MIDDLE, SIGMA)
    assert "moved" in found.method
    unmoved = min(error(frames[[MIDDLE - 1, MIDDLE + 1]].mean(0), truth[MIDDLE]), non_local(frames[MIDDLE], SIGMA).mse)
    assert error(found.picture, truth[MIDDLE]) < 0.5 * unmoved


def test_what_does_not_move_as_a_whole_is_not_moved() -> None:
    """Two halves that drift apart have no common motion; the frame says which mean is best."""
    frames, truth = burst(0.0)
    for k in range(len(frames)):
        for each in (frames, truth):
            each[k] = np.concatenate([np.roll(each[k][:40], k, 1), np.roll(each[k][40:], -k, 1)])
    found = without_frame(frames, MIDDLE, SIGMA)
    assert error(found.picture, truth[MIDDLE]) < error(frames[[MIDDLE - 1, MIDDLE + 1]].mean(0), truth[MIDDLE])


def test_few_frames_are_averaged_as_they_are() -> None:
    frames, _ = burst(0.0)
    assert "moved" not in without_frame(frames[:4], 1, SIGMA).method


@pytest.mark.parametrize("number", [0, MIDDLE, 2 * MIDDLE])
def test_the_frame_itself_is_never_an_input(number: int) -> None:
    frames, _ = burst(1.0)
    nudged = frames.copy()
    nudged[number] += np.random.default_rng(5).normal(0, 1e-4, frames[number].shape).astype(np.float32)
    assert (
        without_frame(nudged, number, SIGMA).picture.tobytes() == without_frame(frames, number, SIGMA).picture.tobytes()
    )


@pytest.mark.parametrize("turn", [0.0, 4.0])
def test_errors_are_the_true_ones(turn: float) -> None:
    frames, truth = burst(turn)
    for found in (without_frame(frames, MIDDLE, SIGMA), non_local(frames[MIDDLE], SIGMA)):
        assert found.mse == pytest.approx(error(found.picture, truth[MIDDLE]), abs=0.12 * SIGMA**2)


def test_the_better_of_all_is_chosen_and_fusion_gains() -> None:
    frames, truth = burst(4.0)
    best = best_classical(frames, MIDDLE, SIGMA)
    assert error(best.picture, truth[MIDDLE]) < 0.5 * SIGMA**2
    other = without_frame(frames, MIDDLE, SIGMA)
    assert error(fused(other, frames[MIDDLE], SIGMA).picture, truth[MIDDLE]) < error(other.picture, truth[MIDDLE])


def test_copied_noise_shows() -> None:
    frames, truth = burst(0.0)
    leaked = 0.3 * truth[MIDDLE] + 0.7 * frames[MIDDLE]
    assert residual_ratio(leaked, frames[MIDDLE], SIGMA) < 0.5


@pytest.mark.parametrize("turn", [0.0, 4.0])
def test_the_noise_is_found_beside_a_moving_target(turn: float) -> None:
    assert high_pass_noise(burst(turn)[0]) == pytest.approx(SIGMA, rel=0.05)


def test_the_error_map_shows_where_the_estimate_is_wrong() -> None:
    frames, truth = burst(0.0)
    spoilt = frames[np.arange(len(frames)) != MIDDLE].mean(axis=0)
    spoilt[20:44, 30:54] += 1.5 * SIGMA
    other = estimate_of(spoilt, frames[MIDDLE], SIGMA, "mean")
    shown = fused(other, frames[MIDDLE], SIGMA)
    sigma = error_map(other, shown, frames[MIDDLE], SIGMA)
    wrong = np.abs(shown.picture - truth[MIDDLE])
    high = sigma > np.percentile(sigma, 90)
    assert wrong[high].mean() > 1.5 * wrong[~high].mean()
    assert np.sqrt(np.mean(sigma**2)) == pytest.approx(np.sqrt(np.mean(wrong**2)), rel=0.4)
