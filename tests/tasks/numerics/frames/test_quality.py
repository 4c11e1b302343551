"""Sharp frames rank first, disturbed ones last, and the share to average depends on their scatter."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import spearmanr

from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.frames.quality import (
    MeanOf,
    Run,
    black,
    coherent_sharpness,
    lucky_share,
    ranking,
    residual_outlier_score,
    saturated,
    sharpness,
    upper_outliers,
)

N = 96


def sky():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:N, :N] - N / 2
    disc = 1000 * (np.hypot(y, x) < 28) * (1 + 0.15 * ndimage.gaussian_filter(rng.normal(size=(N, N)), 1.2) * 4)
    return ndimage.gaussian_filter(disc, 0.8)


def film(blurs, noise=5.0, gains=None, seed=1):
    rng = np.random.default_rng(seed)
    gains = np.ones(len(blurs)) if gains is None else gains
    blurred = [g * ndimage.gaussian_filter(sky(), b) for b, g in zip(blurs, gains, strict=True)]
    frames = [light + rng.normal(0, noise, (N, N)) for light in blurred]
    return np.stack(frames)[:, None].astype(np.float32)


def mean_of(frames, fractions=None):
    """What the frames are compared with: their mean, all of them in it."""
    members = np.ones(len(frames), bool)
    return MeanOf(
        frames.mean(axis=0), len(frames), members, np.zeros((len(frames), 2)) if fractions is None else fractions
    )


def test_sharpness_follows_blur_through_clouds_and_noise():
    rng = np.random.default_rng(2)
    blurs, gains = rng.uniform(0.5, 3, 40), rng.uniform(0.4, 1, 40)
    assert spearmanr(sharpness(film(blurs, 5, gains)), -blurs)[0] > 0.97
    assert spearmanr(sharpness(film(blurs, 60, gains)), -blurs)[0] > 0.7


def test_noise_is_not_taken_for_detail():
    quiet, loud = sharpness(film([2.0], 1))[0], sharpness(film([2.0], 60))[0]
    assert loud == pytest.approx(quiet, rel=0.15)


def test_faint_frames_rank_better_by_coherent_sharpness():
    blurs = np.random.default_rng(3).uniform(0.5, 3, 80)
    frames = film(blurs, 700)
    common = coherent_sharpness(frames, mean_of(frames))
    assert spearmanr(common, -blurs)[0] > max(spearmanr(sharpness(frames), -blurs)[0], 0.3)


def test_a_streak_is_an_outlier_and_ranks_last():
    frames = film(np.random.default_rng(4).uniform(1.0, 3.0, 30))
    rows = np.arange(N)
    frames[7, 0, rows, rows // 2 + 10] += 1500
    ok = np.ones(30, bool)
    scores = residual_outlier_score(frames, mean_of(frames))
    assert np.nonzero(upper_outliers(scores))[0].tolist() == [7]
    assert ranking(sharpness(frames), ok)[0] == 7  # its sharpness alone ranks it first
    assert ranking(sharpness(frames), ok, scores)[-1] == 7


def test_blurred_frames_are_no_outliers():
    frames = film(np.linspace(0.5, 3, 40), gains=np.linspace(0.5, 1, 40))
    assert not upper_outliers(residual_outlier_score(frames, mean_of(frames))).any()


def test_what_is_left_of_a_shift_changes_no_score():
    """Frames that stand half a pixel off the mean are compared with the mean moved there."""
    frames = film(np.linspace(1, 2, 6), noise=0)
    fractions = np.random.default_rng(8).uniform(-0.5, 0.5, (6, 2)).astype(np.float32)
    fractions[0] = 0.5
    moved = shift_frames(frames, fractions)
    there = MeanOf(frames.mean(axis=0), 6, np.ones(6, bool), fractions)
    np.testing.assert_allclose(coherent_sharpness(moved, there), coherent_sharpness(frames, mean_of(frames)), rtol=0.01)
    np.testing.assert_allclose(
        residual_outlier_score(moved, there), residual_outlier_score(frames, mean_of(frames)), rtol=0.1
    )


def test_a_frame_outside_the_mean_is_compared_with_all_of_it():
    """Its own noise is not in the mean, so nothing is taken off."""
    frames = film(np.full(40, 1.5), 300)
    inside, outside = frames[:20], frames[20:]
    members = np.arange(40) < 20
    mean = MeanOf(inside.mean(axis=0), 20, members, np.zeros((40, 2)))
    found = coherent_sharpness(frames, mean)
    scatter = float(np.std(found[~members]))
    assert found[members].mean() == pytest.approx(found[~members].mean(), abs=scatter)
    assert coherent_sharpness(outside, mean_of(outside)).mean() == pytest.approx(found.mean(), abs=scatter)


def test_ranking_puts_unusable_frames_last():
    order = ranking(np.array([3, 9, 5], np.float32), np.array([True, False, True]))
    assert order.tolist() == [2, 0, 1]


def test_black_frames_are_black_and_clouds_are_not():
    flux = film([1] * 6, gains=[1, 0.65, 0.9, 0.02, 1, 1]).mean(axis=(1, 2, 3))
    assert black(flux).tolist() == [False, False, False, True, False, False]


def test_saturation_is_a_share_of_the_pixels():
    frames = np.zeros((2, 1, 10, 10), np.float32)
    frames[1, 0, :5] = 255
    assert saturated(frames, 255).tolist() == [0, 0.5]


def best_share(blurs, noise):
    frames = film(blurs, noise)
    order = ranking(sharpness(frames), np.ones(len(blurs), bool))
    halves = (zip(part, frames[part, 0], strict=True) for part in (np.arange(30), np.arange(30, len(frames))))
    return lucky_share([Run(np.zeros(2), half) for half in halves], order, frames.shape[-2:])


def test_equal_frames_are_nearly_all_taken():
    assert best_share(np.full(100, 1.5), 40).share >= 0.7


def test_of_very_unequal_frames_few_are_taken():
    blurs = np.where(np.arange(100) % 10 == 3, 0.5, 6.0)
    found = best_share(blurs, 10)
    assert found.share <= 0.2
    assert found.bits[3] > found.bits[-1]


def test_the_lucky_share_needs_frames():
    with pytest.raises(ValueError, match="0 usable frames"):
        lucky_share([], np.zeros(0, np.int64), (8, 8))
