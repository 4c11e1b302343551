"""Aliases and back, masked spectra, mosaics: what a periodic sampling does."""

import numpy as np
import pytest
import torch

from tasks.numerics.fourier.lattice import QUARTERS, Lattice
from tasks.numerics.fourier.sampling import (
    BAYER,
    FULL,
    Sampling,
    alias_distance,
    bayer_samplings,
    foreign_distance,
    gather,
    masked,
    scatter,
)

SAMPLINGS = [FULL, *bayer_samplings("GRBG"), Sampling(3, ((0, 1), (2, 2))), Sampling(4, ((1, 3),))]


@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_aliases_and_back(period: int) -> None:
    spectrum = torch.fft.rfft2(torch.randn(2, 24, 24, generator=torch.Generator().manual_seed(0)))
    aliases = gather(spectrum, period)
    assert aliases.shape == (2, period**2, 24 // period, 24 // period // 2 + 1)
    assert torch.equal(scatter(aliases, period), spectrum)


@pytest.mark.parametrize("lattice", QUARTERS)
def test_aliases_of_a_quarter_of_the_frequencies_are_in_it(lattice: Lattice) -> None:
    assert lattice.is_closed(24, 2)
    assert not lattice.is_closed(26, 2)
    spectrum = torch.fft.rfft2(torch.randn(24, 24, generator=torch.Generator().manual_seed(0)))
    some = lattice.of(spectrum)
    aliases = gather(some, 2, lattice)
    torch.testing.assert_close(aliases, lattice.of(gather(spectrum, 2)))
    torch.testing.assert_close(scatter(aliases, 2, lattice), some)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_masked_spectra_are_those_of_masked_pictures(sampling: Sampling) -> None:
    picture = torch.randn(24, 24, generator=torch.Generator().manual_seed(1))
    wanted = torch.fft.rfft2(picture * torch.from_numpy(sampling.mask(24, 24)))
    assert torch.allclose(masked(torch.fft.rfft2(picture), sampling), wanted, atol=1e-4)


@pytest.mark.parametrize("mosaic", BAYER)
def test_each_pixel_of_a_mosaic_has_one_colour(mosaic: str) -> None:
    masks = [sampling.mask(5, 7) for sampling in bayer_samplings(mosaic)]
    assert np.array_equal(sum(masks), np.ones((5, 7)))
    assert masks["RGB".index(mosaic[0])][0, 0] == 1
    assert masks["RGB".index(mosaic[1])][0, 1] == 1
    assert [sampling.density for sampling in bayer_samplings(mosaic)] == [0.25, 0.5, 0.25]


def test_a_mask_moves_with_the_frame() -> None:
    red, _, _ = bayer_samplings("RGGB")
    assert np.array_equal(red.moved(3, 2).mask(8, 8)[3:, 2:], red.mask(8, 8)[:5, :6])


def test_where_aliased_light_comes_from() -> None:
    red, green, _ = bayer_samplings("RGGB")
    assert float(alias_distance(16, green)[8, 8]) == 0  # the mean light of a chequerboard
    assert float(alias_distance(16, green)[0, 8]) == 0.5  # no light at all: the place to read noise
    assert float(foreign_distance(16, red)[0, 0]) == 0.5
    assert torch.isinf(foreign_distance(16, FULL)).all()


def test_a_finer_grid_samples_the_same_places() -> None:
    green = bayer_samplings("RGGB")[1]
    picture = np.arange(16.0).reshape(4, 4)
    mask, fine = green.mask(4, 4), green.finer(3).mask(12, 12)
    assert green.finer(3).period == 6
    assert fine[::3, ::3] == pytest.approx(mask)
    assert fine.sum() == mask.sum()
    assert (np.kron(picture, np.ones((3, 3))) * fine)[::3, ::3] == pytest.approx(picture * mask)
    assert FULL.finer(1) == FULL
