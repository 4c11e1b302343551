"""Bad pixels and cosmic rays are found and mended; stars, limbs and good skies are left alone."""

import numpy as np
import pytest
from scipy import ndimage, special

from tasks.numerics.frames.defects import (
    _candidates,
    _no_more_than_third,
    bad_from_dark,
    bad_from_flat,
    bad_from_moments,
    clean,
    fill,
    isolated_outliers,
    spikes,
)

N = 64
HOT, DEAD = (29, 38), (33, 30)


def airy(cy, cx, scale=1.0):
    """A diffraction-limited star at Nyquist sampling."""
    y, x = np.mgrid[:N, :N]
    r = np.pi / 2 * np.hypot(y - cy, x - cx) * scale + 1e-9
    return (2 * special.j1(r) / r) ** 2


def planet(cy, cx):
    y, x = np.mgrid[:N, :N]
    return ndimage.gaussian_filter((np.hypot(y - cy, x - cx) < 15).astype(float), 1.0)


def film(count=60, drift=6.0, bad=True, seed=0):
    rng = np.random.default_rng(seed)
    frames = np.empty((count, 1, N, N), np.float32)
    for k in range(count):
        light = 1000 * planet(30 + drift * k / count, 30) + 800 * airy(52 + drift * k / count, 50)
        frames[k, 0] = rng.poisson(light) + rng.normal(0, 3, (N, N)) + 50
        if bad:
            frames[k, 0][HOT] += rng.poisson(600)
            frames[k, 0][DEAD] = 50 + rng.normal(0, 3)
    return frames


def moments(frames):
    return bad_from_moments(frames.mean(axis=0), frames.var(axis=0), len(frames))[0]


def test_a_dark_shows_its_hot_pixels():
    dark = np.random.default_rng(0).normal(20, 2, (N, N)).astype(np.float32)
    dark[5, 6], dark[0, 0] = 200, 90
    assert np.argwhere(bad_from_dark(dark)).tolist() == [[0, 0], [5, 6]]


def test_a_posterised_dark_is_not_all_bad():
    dark = np.full((N, N), 64.0, np.float32)
    dark[9, 9] = 90
    assert np.argwhere(bad_from_dark(dark)).tolist() == [[9, 9]]


def test_a_flat_shows_dead_pixels_but_not_its_vignetting():
    y, x = np.mgrid[:N, :N] - N / 2
    grain = np.random.default_rng(0).normal(0, 0.003, (N, N))
    flat = (1 - 0.35 * (y**2 + x**2) / (N**2 / 2) + grain).astype(np.float32)
    flat[7, 8], flat[40, 2] = 0.1, 0.02
    assert np.argwhere(bad_from_flat(flat)).tolist() == [[7, 8], [40, 2]]


def test_the_capture_itself_shows_hot_and_dead_pixels():
    assert np.argwhere(moments(film())).tolist() == sorted([list(HOT), list(DEAD)])


@pytest.mark.parametrize("drift", [0.0, 8.0])
def test_a_clean_capture_is_left_alone(drift):
    assert not moments(film(bad=False, drift=drift)).any()


def test_a_stuck_pixel_is_found():
    frames = film(bad=False)
    frames[:, 0, 36, 28] = 420
    assert np.argwhere(moments(frames)).tolist() == [[36, 28]]


def test_one_cosmic_ray_does_not_make_a_bad_pixel():
    frames = film(bad=False)
    frames[3, 0, 10, 10] += 20000
    assert not moments(frames).any()


def test_a_clipped_sky_with_rare_counts_is_not_bad():
    rng = np.random.default_rng(4)
    frames = (16.0 * (rng.random((12, 1, N, N)) < 0.05)).astype(np.float32)
    assert not moments(frames + 3000 * planet(30, 30).astype(np.float32)).any()


def test_cosmic_rays_are_found_and_stars_are_not():
    frames = film(bad=False)
    hits = [(2, 8, 9), (2, 8, 10), (5, 30, 33), (40, 58, 3)]
    for k, y, x in hits:
        frames[k, 0, y, x] += 3000
    found = spikes(frames, 3.0)
    assert {tuple(int(v) for v in np.delete(at, 1)) for at in np.argwhere(found)} == set(hits)


@pytest.mark.parametrize("offset", [(0, 0), (0.5, 0), (0.5, 0.5), (0.25, 0.1)])
def test_the_sharpest_possible_double_star_survives(offset):
    star = 5000 * airy(30 + offset[0], 30 + offset[1]) + 3000 * airy(34, 33 + offset[1])
    frame = (star + np.random.default_rng(0).normal(0, 2, star.shape)).astype(np.float32)[None, None]
    assert not spikes(frame, 2.0).any()


def test_filling_takes_only_good_neighbours():
    y, x = np.mgrid[:N, :N]
    ramp = (y + 2 * x).astype(np.float32)[None, None]
    bad = np.zeros((N, N), bool)
    bad[20, 20] = bad[21, 20] = True
    broken = np.where(bad, np.float32(1e6), ramp)
    assert np.abs(fill(broken, bad) - ramp).max() < 1.5
    assert np.array_equal(fill(broken, bad)[..., ~bad], ramp[..., ~bad])


def test_wide_holes_and_frames_without_good_pixels_stay_finite():
    bad = np.zeros((N, N), bool)
    bad[10:40, 10:40] = True
    filled = fill(np.full((1, 1, N, N), 7, np.float32), bad)
    assert np.allclose(filled, 7, atol=1e-3)
    assert np.array_equal(fill(np.ones((1, 1, 8, 8), np.float32), np.ones((8, 8), bool)), np.zeros((1, 1, 8, 8)))


def test_clean_mends_both():
    good, broken = film(bad=False, count=20), film(bad=False, count=20)
    bad = np.zeros((N, N), bool)
    bad[HOT] = True
    broken[:, 0, HOT[0], HOT[1]] = 4000
    broken[4, 0, 40, 8] = 5000
    mended, spiked = clean(broken, bad, 3.0)
    assert abs(mended[4, 0, 40, 8] - good[4, 0, 40, 8]) < 20
    assert np.abs(mended - good).max() < 250
    assert spiked[4, 0, 40, 8]
    assert not spiked[:, 0, HOT[0], HOT[1]].any()


def test_the_fast_preselection_loses_no_spike():
    rng = np.random.default_rng(9)
    image = rng.normal(100, 3, (40, 41)).astype(np.float32)
    padded = np.pad(image, 1, mode="reflect")
    near = np.stack([padded[y : y + 40, x : x + 41] for y in range(3) for x in range(3) if (y, x) != (1, 1)])
    at = [each.ravel() for each in np.indices(image.shape)]
    third = np.sort(near, axis=0)[-3].ravel()
    assert (_no_more_than_third(image, *at) <= third).all()
    for noise in (0.1, 1.0):
        above = image.ravel() - third > 12 * noise
        assert np.isin(np.flatnonzero(above), np.ravel_multi_index(_candidates(image, noise), image.shape)).all()
    image[0, 0] = image[39, 40] = image[20, 0] = 400
    found = isolated_outliers(image, 3.0, 0.02)
    assert np.argwhere(found).tolist() == [[0, 0], [20, 0], [39, 40]]
