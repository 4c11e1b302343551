"""Inverse filters: they undo a mild blur, and leave noise alone."""

import numpy as np
from scipy import ndimage

from tasks.numerics.finishing.inverse_filters import inverse_filtered
from tasks.numerics.finishing.transfer import Transfer

FREQUENCIES = np.linspace(0, 0.5, 64)
BLUR_PX = 1.2


def test_a_known_blur_is_undone() -> None:
    rng = np.random.default_rng(0)
    sharp = ndimage.gaussian_filter(rng.standard_normal((96, 96)), 2.0)
    sharp = (sharp / sharp.std()).astype(np.float32)
    picture = ndimage.gaussian_filter(sharp, BLUR_PX, mode="mirror")
    blur = np.exp(-2 * (np.pi * BLUR_PX * FREQUENCIES) ** 2)
    transfer = Transfer(FREQUENCIES, np.ones_like(blur), blur)
    for filtered in inverse_filtered(picture, transfer, np.full_like(picture, 1e-3), 0.0):
        inner = (slice(12, -12), slice(12, -12))
        assert np.std((filtered - sharp)[inner]) < 0.5 * np.std((picture - sharp)[inner])


def test_pure_noise_is_not_amplified_by_the_filter_that_knows_it() -> None:
    noise = np.random.default_rng(1).standard_normal((96, 96)).astype(np.float32)
    blur = np.exp(-2 * (np.pi * 2 * FREQUENCIES) ** 2)
    transfer = Transfer(FREQUENCIES, np.ones_like(blur), blur)
    own, mild = inverse_filtered(noise, transfer, np.ones_like(noise), 0.0)
    assert own.std() < mild.std()
