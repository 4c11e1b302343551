"""Missing pixels are those that no light explains."""

import numpy as np

from tasks.numerics.finishing.missing import expected_light, mean_of_known, missing_pixels, proving_mask, thickness_px

MEAN = np.full((1, 40, 50), 500, np.float32)
NONE = np.zeros((1, 40, 50), bool)


def test_saturated_bad_and_lost_pixels() -> None:
    raw = np.full((1, 40, 50), 480, np.uint16)
    raw[0, 3, 4] = 4095
    raw[0, 20:26, 30:36] = 0
    raw[0, 10, 10] = 0
    bad = NONE.copy()
    bad[0, :, 7] = True
    mask = missing_pixels(raw, bad, MEAN, 100.0, 4095.0)[0]
    assert mask[3, 4]
    assert mask[:, 7].all()
    assert mask[20:26, 30:36].all()
    assert not mask[10, 10], "one black pixel may be noise"
    assert int(mask.sum()) == 1 + 40 + 36


def test_black_sky_is_not_lost() -> None:
    assert not missing_pixels(np.zeros((1, 40, 50), np.uint16), NONE, np.full_like(MEAN, 3.0), 4.0, 0.0).any()


def test_thickness() -> None:
    mask = np.zeros((40, 50), bool)
    assert thickness_px(mask) == 0
    mask[:, 7] = True
    assert thickness_px(mask) == 1
    mask[10:15, 20:27] = True
    assert thickness_px(mask) == 5


def test_what_is_hidden_was_good() -> None:
    mask = np.zeros((40, 50), bool)
    mask[10:15, 20:27] = True
    hidden = proving_mask(mask, 3)
    assert not (hidden & mask).any()
    assert hidden.sum() > 35
    assert np.array_equal(hidden, proving_mask(mask, 3))


def test_a_dead_column_is_expected_to_be_as_bright_as_its_neighbours() -> None:
    mean = MEAN.copy()
    mean[0, :, 12] = 0
    assert np.allclose(expected_light(mean), MEAN)


def test_the_mean_of_what_frames_show() -> None:
    """A column that is missing in every frame is seen by those that drifted."""
    dice, scene = np.random.default_rng(4), np.random.default_rng(5).uniform(100, 200, (1, 40, 50)).astype(np.float32)
    mask = NONE.copy()
    mask[0, :, 20] = True
    shifts = [np.array([0, k % 5], np.float32) for k in range(10)]
    frames = [(np.roll(scene, int(shift[1]), axis=2) + dice.normal(0, 1, scene.shape), mask, shift) for shift in shifts]
    mean, count = mean_of_known((np.asarray(frame, np.float32), lost, shift) for frame, lost, shift in frames)
    assert np.abs(mean - scene)[0, :, 8:40].max() < 3
    assert count[0, :, 10].min() == 10
    assert count[0, :, 20].max() == 8
