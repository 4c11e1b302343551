"""Frames of a mosaic fall into sites of one colour each, come together again, and have a luma without colour."""

import numpy as np
import pytest

from tasks.numerics.fourier.sampling import bayer_samplings
from tasks.numerics.frames.defects import clean
from tasks.numerics.frames.mosaic import join_sites, luma, sites_of, split_sites


@pytest.mark.parametrize("shape", [(6, 8), (5, 7)])
def test_sites_and_back(shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).random((3, 1, *shape)).astype(np.float32)
    sites = split_sites(frames, 2)
    assert sites.shape == (3, 4, 3, 4)
    np.testing.assert_array_equal(join_sites(sites, 2, shape), frames)
    assert split_sites(frames, 1) is frames


def test_the_sites_of_a_colour_hold_its_pixels() -> None:
    for number, sampling in enumerate(bayer_samplings("GBRG")):
        sites = split_sites(sampling.mask(8, 8)[None], 2)
        own = sites_of(sampling, 0, 2)
        assert sites[own].all(), number
        assert sites.sum() == sites[own].sum()


def test_the_luma_of_a_coloured_surface_is_flat() -> None:
    frame = sum(mask.mask(8, 8) * light for mask, light in zip(bayer_samplings("RGGB"), (9, 5, 1), strict=True))
    np.testing.assert_allclose(luma(np.asarray(frame, np.float32), 2), 5.0)


def test_a_hot_pixel_is_filled_from_its_own_colour() -> None:
    masks = [sampling.mask(20, 20) for sampling in bayer_samplings("RGGB")]
    frame = np.asarray(900 * masks[0] + 300 * masks[1] + 100 * masks[2], np.float32)[None, None]
    bad = np.zeros((1, 20, 20), bool)
    bad[0, 8, 8] = bad[0, 9, 9] = True  # one red, one blue
    spoiled = np.where(bad, np.float32(4000), frame)
    sites, _ = clean(split_sites(spoiled, 2), split_sites(bad, 2), 1.0)
    filled = join_sites(sites, 2, (20, 20))
    np.testing.assert_allclose(filled, frame, rtol=1e-4)
