"""Batches registered on each other, rounds averaged by their frames: sums that a single solve would have had."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.fourier.shifts import phase_ramp
from tasks.numerics.sky.rounds import RoundShare, batch_offsets, sum_batches

SIZE = 32
OFFSETS = [(0.0, 0.0), (1.5, -2.25), (-3.0, 0.5)]
Planes = tuple[NDArray[np.float32], NDArray[np.complex64]]


@pytest.fixture
def batches() -> Planes:
    """A and B (batch, y, x//2+1) of three batches of 4 frames whose skies lie by OFFSETS away from each other."""
    dice = np.random.default_rng(1)
    axis = np.arange(SIZE) - SIZE // 2
    disc = (np.hypot(axis[:, None], axis) < 7) * (1 + dice.uniform(0, 1, (SIZE, SIZE)))
    spectrum = np.fft.rfft2(100 * disc)
    fy, fx = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)
    transfer = np.exp(-((fy**2 + fx**2) / 0.04)).astype(np.float32)
    power = np.repeat(4 * transfer[None] ** 2, 3, axis=0)
    cross = np.stack(
        [4 * transfer * transfer * spectrum * phase_ramp((SIZE, SIZE), np.array(o)).conj() for o in OFFSETS]
    )
    noise = np.sqrt(power) * dice.normal(size=(2, *cross.shape))
    return power, (cross + noise[0] + 1j * noise[1]).astype(np.complex64)


def test_a_share_weighs_a_round_by_its_frames() -> None:
    share = RoundShare(0.25)
    assert share.average(8.0, 4.0) == 5.0
    curve = share.average_curve(np.array([8, 0], np.float32), np.array([4, 4], np.float32))
    assert curve.dtype == np.float32
    np.testing.assert_array_equal(curve, [5, 3])


def test_rounds_average_to_the_mean_over_all_frames() -> None:
    """Three rounds of unlike size, averaged one after the other, are the mean over their frames."""
    values, frames = [3.0, 7.0, 1.0], [10, 30, 60]
    total, count = values[0], frames[0]
    for value, more in zip(values[1:], frames[1:], strict=True):
        count += more
        total = RoundShare(more / count).average(value, total)
    assert total == pytest.approx(np.average(values, weights=frames))


def test_batches_are_registered_on_the_first(batches: Planes) -> None:
    found = batch_offsets(*batches, noise=2.0)
    np.testing.assert_allclose(found, OFFSETS, atol=0.05)


def test_one_batch_or_none_has_nothing_to_be_registered_on(batches: Planes) -> None:
    assert batch_offsets(batches[0][:1], batches[1][:1], 2.0) == [(0.0, 0.0)]
    assert batch_offsets(batches[0][:0], batches[1][:0], 2.0) == []


def test_moved_batches_add_up_to_one_sky(batches: Planes) -> None:
    power, cross = batches
    found = sum_batches(power, cross, OFFSETS, np.ones(3, bool), 1.0)
    assert found.frames == 12
    np.testing.assert_allclose(found.power, 3 * power[0], rtol=1e-5)
    coarse = (slice(0, 6), slice(0, 6))  # where the noise is small
    np.testing.assert_allclose(found.cross.numpy()[coarse], 3 * cross[0][coarse], rtol=0.02, atol=10)


def test_only_the_chosen_batches_count_and_by_their_weight(batches: Planes) -> None:
    power, cross = batches
    still = [(0.0, 0.0)] * 3
    found = sum_batches(power, cross, still, np.array([True, False, True]), 0.5)
    np.testing.assert_allclose(found.cross, 0.5 * (cross[0] + cross[2]), rtol=1e-5)
    assert found.frames == 4, "every frame of two starts counts once"
    nothing = sum_batches(power, cross, still, np.zeros(3, bool), 0.5)
    assert (nothing.frames, float(nothing.power.abs().max()), float(nothing.cross.abs().max())) == (0, 0, 0)
