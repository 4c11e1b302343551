"""Batches: every frame once, no half-set without frames; and a divided batch has the likelihood of the whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models.base import Batch
from tasks.numerics.psf_models.batches import FrameBatch, batch_loss, beside, fresh_batches, later_batches
from tasks.numerics.sky.likelihood import Sums, sums
from tasks.numerics.sky.wiener import ring_power

FRAMES = np.arange(100, 120)


def numbers(batches: list[FrameBatch]) -> list[list[int]]:
    return [batch.frames.tolist() for batch in batches]


def test_fresh_batches_share_the_luckiest() -> None:
    found = fresh_batches(FRAMES[:9], 3, starts=1)
    assert numbers(found) == [[100, 103, 106], [101, 104, 107], [102, 105, 108]]
    assert [batch.half for batch in found] == [0, 1, 0]


@pytest.mark.parametrize(("count", "sizes"), [(7, [3, 3]), (8, [3, 3, 2]), (4, [3]), (2, [2])])
def test_less_than_half_a_batch_waits(count: int, sizes: list[int]) -> None:
    found = fresh_batches(FRAMES[:count], 3, starts=1)
    assert [len(batch.frames) for batch in found] == sizes
    taken = np.sort(np.concatenate([batch.frames for batch in found]))
    np.testing.assert_array_equal(taken, FRAMES[: sum(sizes)])


def test_starts_repeat_every_batch_and_are_the_halves_of_a_single_one() -> None:
    twice = fresh_batches(FRAMES[:6], 3, starts=2)
    assert numbers(twice) == 2 * [[100, 102, 104], [101, 103, 105]]
    assert [batch.half for batch in twice] == [0, 1, 0, 1]
    single = fresh_batches(FRAMES[:6], 6, starts=2)
    assert [batch.half for batch in single] == [0, 1]


def test_halves_apart_are_the_first_and_the_second_half_of_the_time() -> None:
    luckiest_first = np.random.default_rng(1).permutation(100)
    found = fresh_batches(luckiest_first, 30, starts=2, halves_apart=True)
    for half, inside in ((0, lambda frames: frames < 50), (1, lambda frames: frames >= 50)):
        mine = [batch.frames for batch in found if batch.half == half]
        assert inside(np.concatenate(mine)).all()
        np.testing.assert_array_equal(np.unique(np.concatenate(mine)), np.flatnonzero(inside(np.arange(100))))
        assert max(map(len, mine)) - min(map(len, mine)) <= 1


def test_halves_of_few_frames_are_not_torn_apart() -> None:
    few = fresh_batches(FRAMES, 64, starts=2, halves_apart=True)
    assert numbers(few) == [FRAMES.tolist(), FRAMES.tolist()]
    assert [batch.half for batch in few] == [0, 1]


@pytest.mark.parametrize(("count", "halves", "sizes"), [(7, 2, [3, 2, 2]), (5, 2, [3, 2]), (2, 2, [1, 1]), (1, 2, [1])])
def test_later_batches_take_every_frame_and_leave_no_half_empty(count: int, halves: int, sizes: list[int]) -> None:
    found = later_batches(FRAMES[:count], 3, halves)
    assert [len(batch.frames) for batch in found] == sizes
    np.testing.assert_array_equal(np.sort(np.concatenate([batch.frames for batch in found])), FRAMES[:count])
    assert {batch.half for batch in found} == set(range(min(halves, count)))


def test_without_halves_or_frames() -> None:
    assert [batch.half for batch in later_batches(FRAMES[:7], 3, 1)] == [0, 0, 0]
    assert later_batches(FRAMES[:0], 3, 2) == []


def drawn() -> tuple[Batch, torch.Tensor]:
    """Frames of noise, and transfer functions."""
    dice = torch.Generator().manual_seed(1)
    spectra = torch.fft.rfft2(torch.randn(4, 32, 32, generator=dice) * 10)
    transfer = torch.fft.rfft2(torch.rand(4, 32, 32, generator=dice) / 1024)
    return Batch(spectra, Aperture(10.0, 0.0), 3.0, 5.0, None, spectra[0], None), transfer


@pytest.mark.parametrize("known", [True, False])
def test_parts_have_the_loss_of_the_whole(known: bool) -> None:
    """What the second part adds, given the first, is the likelihood of both together."""
    whole, transfer = drawn()
    one, other = (sums(whole.spectra[part], transfer[part]) for part in (slice(0, 2), slice(2, 4)))
    dice = torch.Generator().manual_seed(2)
    power = torch.rand(24, generator=dice) * 1e4 if known else ring_power(one + other, whole.noise)
    together = batch_loss(whole, one + other, power if known else None)
    apart = batch_loss(whole, one, power) + batch_loss(replace(whole, others=one), other, power)
    assert apart == pytest.approx(together, rel=1e-5)


def test_a_better_explanation_has_the_smaller_loss() -> None:
    whole, transfer = drawn()
    sky = 1e4 * transfer[:1].conj() / transfer[:1].abs()
    seen = replace(whole, spectra=transfer * sky)
    right, wrong = (batch_loss(seen, sums(seen.spectra, h), None) for h in (transfer, transfer.flip(0)))
    assert right < wrong


def test_a_batch_beside_others_holds_them_fixed() -> None:
    whole, transfer = drawn()
    fixed = sums(whole.spectra[:2], transfer[:2])
    assert beside(whole, None) is whole
    alone = beside(whole, fixed)
    assert alone.others is fixed
    assert alone.sky_power is not None
    torch.testing.assert_close(alone.sky_power, ring_power(fixed, whole.noise))


def test_frames_of_earlier_rounds_stay_fixed_too() -> None:
    whole, transfer = drawn()
    earlier, fixed = (sums(whole.spectra[part], transfer[part]) for part in (slice(0, 3), slice(3, 4)))
    power = torch.ones(24)
    both = beside(replace(whole, others=earlier, sky_power=power), fixed).others
    assert both is not None
    assert isinstance(both, Sums)
    assert both.frames == 4
    torch.testing.assert_close(both.power, earlier.power + fixed.power)
    assert beside(replace(whole, sky_power=power), fixed).sky_power is power, "a known power is kept"
