"""The standard error is what the sky really scatters by."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks.numerics.judging.standard_error import standard_error
from tasks.numerics.sky.half_agreement import HalfSums
from tasks.numerics.sky.likelihood import Sums

SIZE, COUNT, NOISE = 64, 20, 2.0


def sums(seed: int) -> HalfSums:
    """Sums of frames of noise through perfect PSFs, in two halves."""
    dice = torch.Generator().manual_seed(seed)
    spectra = torch.fft.rfft2(NOISE * torch.randn(COUNT, SIZE, SIZE, generator=dice))
    ones = torch.ones(SIZE, SIZE // 2 + 1)
    total = Sums(COUNT * ones, spectra.sum(0), COUNT)
    half = Sums(COUNT / 2 * ones, spectra[: COUNT // 2].sum(0), COUNT // 2)
    return HalfSums(total, half, 0.0, NOISE**2 * SIZE**2)


FLOOR = torch.full((SIZE, SIZE // 2 + 1), 1e-3)
SHOWN = torch.ones(SIZE, SIZE // 2 + 1)


def test_it_is_the_noise_over_the_root_of_the_number_of_frames() -> None:
    found = standard_error(sums(1), FLOOR, SHOWN)
    assert found.shape == (SIZE, SIZE)
    assert np.median(found) == pytest.approx(NOISE / COUNT**0.5, rel=0.15)
    alone = replace(sums(1), half=Sums(0 * SHOWN, 0j * SHOWN, 0))
    np.testing.assert_allclose(standard_error(alone, FLOOR, SHOWN), NOISE / COUNT**0.5, rtol=0.05)


def test_halves_that_differ_more_than_their_noise_raise_it_there() -> None:
    both = sums(1)
    blob = torch.zeros(SIZE, SIZE)
    blob[20:24, 30:34] = 5.0
    change = torch.fft.rfft2(blob) * COUNT / 2
    half = replace(both.half, cross=both.half.cross + change)
    found = standard_error(replace(both, half=half), FLOOR, SHOWN)
    assert found[21, 31] > 3 * np.median(found)


def test_a_picture_that_shows_nothing_has_no_error() -> None:
    assert standard_error(sums(1), FLOOR, 0 * SHOWN).max() == 0


def test_light_that_the_prior_took_is_an_error_where_the_light_is() -> None:
    blob = torch.zeros(SIZE, SIZE)
    blob[20:24, 30:34] = 500.0
    both = sums(1)
    lit = replace(
        both,
        total=replace(both.total, cross=both.total.cross + COUNT * torch.fft.rfft2(blob)),
        half=replace(both.half, cross=both.half.cross + COUNT / 2 * torch.fft.rfft2(blob)),
    )
    loose, tight = (standard_error(lit, floor, SHOWN) for floor in (FLOOR, 2000 * FLOOR))
    assert tight[21, 31] > 3 * loose[21, 31]
    assert tight[50, 5] == pytest.approx(loose[50, 5], rel=0.3)


def test_an_uncertain_amplitude_is_an_error_in_proportion_to_the_light() -> None:
    blob = torch.zeros(SIZE, SIZE)
    blob[20:30, 30:40] = 500.0
    both = sums(1)
    lit = replace(
        both,
        total=replace(both.total, cross=both.total.cross + COUNT * torch.fft.rfft2(blob)),
        half=replace(both.half, cross=both.half.cross + COUNT / 2 * torch.fft.rfft2(blob)),
    )
    found = standard_error(lit, FLOOR, SHOWN, 0.1 * SHOWN)
    assert found[25, 35] == pytest.approx(0.1 * 500, rel=0.1)
    assert found[5, 5] < 2
