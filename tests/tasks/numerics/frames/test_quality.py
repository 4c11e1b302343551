"""Sharp frames rank first, disturbed ones last, and the share to average depends on their scatter."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import spearmanr

from tasks.numerics.frames.quality import (
    black,
    coherent_sharpness,
    fluxes,
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
    common = coherent_sharpness(frames, frames.mean(axis=0), len(frames))
    assert spearmanr(common, -blurs)[0] > max(spearmanr(sharpness(frames), -blurs)[0], 0.3)


def test_a_streak_is_an_outlier_and_ranks_last():
    frames = film(np.random.default_rng(4).uniform(1.0, 3.0, 30))
    rows = np.arange(N)
    frames[7, 0, rows, rows // 2 + 10] += 1500
    ok = np.ones(30, bool)
    scores = residual_outlier_score(frames, frames.mean(axis=0))
    assert np.nonzero(upper_outliers(scores))[0].tolist() == [7]
    assert ranking(sharpness(frames), ok)[0] == 7  # its sharpness alone ranks it first
    assert ranking(sharpness(frames), ok, scores)[-1] == 7


def test_blurred_frames_are_no_outliers():
    frames = film(np.linspace(0.5, 3, 40), gains=np.linspace(0.5, 1, 40))
    assert not upper_outliers(residual_outlier_score(frames, frames.mean(axis=0))).any()


def test_ranking_puts_unusable_frames_last():
    order = ranking(np.array([3, 9, 5], np.float32), np.array([True, False, True]))
    assert order.tolist() == [2, 0, 1]


def test_black_frames_are_black_and_clouds_are_not():
    flux = fluxes(film([1] * 6, gains=[1, 0.65, 0.9, 0.02, 1, 1]))
    assert black(flux).tolist() == [False, False, False, True, False, False]


def test_saturation_is_a_share_of_the_pixels():
    frames = np.zeros((2, 1, 10, 10), np.float32)
    frames[1, 0, :5] = 255
    assert saturated(frames, 255).tolist() == [0, 0.5]


def best_share(blurs, noise):
    frames = film(blurs, noise)
    order = ranking(sharpness(frames), np.ones(len(blurs), bool))
    return lucky_share([frames[:30], frames[30:]], np.zeros((len(blurs), 2), np.float32), order)


def test_equal_frames_are_nearly_all_taken():
    assert best_share(np.full(100, 1.5), 40).share >= 0.7


def test_of_very_unequal_frames_few_are_taken():
    blurs = np.where(np.arange(100) % 10 == 3, 0.5, 6.0)
    found = best_share(blurs, 10)
    assert found.share <= 0.2
    assert found.bits[3] > found.bits[-1]


def test_the_lucky_share_needs_frames():
    with pytest.raises(ValueError, match="0 usable frames"):
        lucky_share([], np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
