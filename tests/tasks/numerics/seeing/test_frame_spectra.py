"""Spectral sums of registered frames in one pass; and how much more power the luckiest frames hold."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

import tasks.numerics.seeing.frame_spectra
from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.seeing.frame_spectra import MAX_GROUP_FRAMES, frame_spectra, mean_power_of
from tasks.numerics.seeing.spectral_ratios import spectral_sums
from tests.tasks.numerics.conftest import Frames

CUTOFF = 0.5


def blocks(
    frames: NDArray[np.float32], numbers: NDArray[np.int64], size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """The named frames, so many at a time."""
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        yield part, frames[part]


@pytest.fixture(scope="module")
def still(frames_through: Frames) -> NDArray[np.float32]:
    """(frame, y, x) registered frames of a planet."""
    return frames_through(4.0, 0.01)[0]


def test_frames_that_were_in_place_give_their_plain_sums(still: NDArray[np.float32]) -> None:
    count = len(still)
    found, power = frame_spectra(
        blocks(still, np.arange(count), count),
        np.zeros((count, 2), np.float32),
        np.ones(count, np.float32),
        count,
        CUTOFF,
    )
    wanted = spectral_sums(still, CUTOFF, 1)
    assert found.frames.sum() == count
    np.testing.assert_allclose(found.first.sum(0), wanted.first.sum(0), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(found.second.sum(0), wanted.second.sum(0), rtol=1e-4, atol=1e-3)
    assert power.shape == (count, len(RINGS))
    assert found.frames.max() <= MAX_GROUP_FRAMES


def test_long_captures_are_sampled_but_every_frame_has_its_power(
    still: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    count, dice = len(still), np.random.default_rng(4)
    shifts = dice.uniform(-3, 3, (count, 2)).astype(np.float32)
    moved, gains = shift_frames(still[:, None], shifts)[:, 0], np.ones(count, np.float32)
    _, whole = frame_spectra(blocks(moved, np.arange(count), 4), shifts, gains, count, CUTOFF)
    monkeypatch.setattr(tasks.numerics.seeing.frame_spectra, "MAX_FRAMES", count // 2)
    sums, sampled = frame_spectra(blocks(moved, np.arange(count), 4), shifts, gains, count, CUTOFF)
    assert count // 2 <= sums.frames.sum() < count // 2 + 8
    good = np.isfinite(whole[0])
    np.testing.assert_allclose(sampled[:, good], whole[:, good], rtol=0.1)


def test_shifts_and_clouds_are_taken_off(still: NDArray[np.float32]) -> None:
    count, dice = len(still), np.random.default_rng(2)
    shifts = dice.uniform(-3, 3, (count, 2)).astype(np.float32)
    gains = dice.uniform(0.5, 1.5, count).astype(np.float32)
    moved = shift_frames(still[:, None], shifts)[:, 0] * gains[:, None, None]
    none, one = np.zeros_like(shifts), np.ones_like(gains)
    plain, power = frame_spectra(blocks(still, np.arange(count), 16), none, one, count, CUTOFF)
    found, other = frame_spectra(blocks(moved, np.arange(count), 16), shifts, gains, count, CUTOFF)
    coarse = slice(1, 12)
    np.testing.assert_allclose(other[:, coarse], power[:, coarse], rtol=0.02)
    np.testing.assert_allclose(
        np.abs(found.first.sum(0))[:8, :8], np.abs(plain.first.sum(0))[:8, :8], rtol=0.05, atol=1e-3
    )


def test_frames_that_were_not_looked_at_have_no_power(still: NDArray[np.float32]) -> None:
    usable = np.delete(np.arange(len(still)), [0, 7])
    shifts, gains = np.zeros((len(still), 2), np.float32), np.ones(len(still), np.float32)
    shifts[[0, 7]] = np.nan
    found, power = frame_spectra(blocks(still, usable, 10), shifts, gains, len(usable), CUTOFF)
    assert found.frames.sum() == len(usable)
    assert np.flatnonzero(np.isnan(power).all(axis=1)).tolist() == [0, 7]
    assert np.isfinite(power[usable]).all()


def test_no_frames_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="0 usable frames"):
        frame_spectra([], np.zeros((3, 2), np.float32), np.ones(3, np.float32), 0, CUTOFF)


def test_the_luckiest_frames_have_more_of_the_power() -> None:
    """Frames whose spectra are stronger on fine rings than all frames' mean, by as much as they are stronger."""
    noise, mean_power = 1.0, np.exp(-4 * RINGS**2)
    strength = np.linspace(0.5, 1.5, 20)
    frame_power = (noise + 50 * strength[:, None] * mean_power).astype(np.float32)
    everything = mean_power_of(np.arange(20), frame_power, noise, mean_power)
    np.testing.assert_allclose(everything, mean_power, rtol=1e-4)
    lucky, unlucky = (mean_power_of(part, frame_power, noise, mean_power) for part in (np.arange(12, 20), np.arange(8)))
    fine = slice(2, 20)
    np.testing.assert_allclose(lucky[fine], strength[12:].mean() * mean_power[fine], rtol=1e-4)
    np.testing.assert_allclose(unlucky[fine], strength[:8].mean() * mean_power[fine], rtol=1e-4)
    assert lucky[0] == pytest.approx(mean_power[0]), "the light of every frame is the same"


def test_rings_lost_in_the_noise_keep_the_ratio_of_the_last_good_one() -> None:
    mean_power = np.exp(-12 * RINGS**2)
    frame_power = np.stack([1 + 20 * gain * mean_power for gain in (0.5, 1.5)]).astype(np.float32)
    frame_power[1, -5:] = 1e3  # noise of any size
    frame_power[0, -5:] = 1.0
    dark = 1 + 20 * mean_power < 1.5
    frame_power[:, dark] = 1.0
    found = mean_power_of(np.array([1]), frame_power, 1.0, mean_power) / mean_power
    np.testing.assert_allclose(found[dark], 1.5, rtol=1e-4)


def test_frames_without_power_do_not_spoil_the_mean() -> None:
    mean_power = np.ones(len(RINGS))
    frame_power = np.full((4, len(RINGS)), 11, np.float32)
    frame_power[2] = np.nan
    np.testing.assert_allclose(mean_power_of(np.array([0, 1]), frame_power, 1.0, mean_power), 1)
