"""Batches that run out of memory: halved until they fit, in order, and told."""

from collections.abc import Callable

import pytest
import torch

from storage.errors import StillskyError
from tasks.running.out_of_memory import out_of_memory, smaller_blocks_on_oom, split_on_oom


def fits(most: int) -> Callable[[range], range]:
    def work(items: range) -> range:
        if len(items) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB\nmore")
        return items

    return work


@pytest.mark.parametrize(("most", "parts"), [(10, [10]), (5, [5, 5]), (4, [3, 2, 3, 2]), (1, [1] * 10)])
def test_a_batch_is_halved_until_it_fits(most: int, parts: list[int]) -> None:
    notes: list[str] = []
    done = list(split_on_oom(10, fits(most), notes.append))
    assert [len(items) for items in done] == parts
    assert [item for items in done for item in items] == list(range(10))
    assert len(notes) == len(parts) - 1


def test_every_halving_is_told() -> None:
    notes: list[str] = []
    list(split_on_oom(7, fits(4), notes.append))
    assert notes == ["7 frames together ran out of memory; done as 4 and 3"]


def test_one_that_does_not_fit_alone_is_an_error_with_the_remedy() -> None:
    with pytest.raises(StillskyError, match=r"one frame alone.*Tried to allocate 20.00 GiB.*--device cpu"):
        list(split_on_oom(2, fits(0), lambda note: None))


def test_what_is_no_lack_of_memory_is_not_tried_again() -> None:
    tried: list[int] = []

    def work(items: range) -> int:
        tried.append(len(items))
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(split_on_oom(8, work, lambda note: None))
    assert tried == [8]


def test_a_real_refusal_of_the_processors_memory_is_known() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 50, dtype=torch.float64)
    assert out_of_memory(refused.value)
    assert out_of_memory(MemoryError())
    assert not out_of_memory(KeyError("memory"))


def test_the_failed_attempts_arrays_are_gone_before_the_halves_are_tried() -> None:
    import weakref

    alive: list[weakref.ref[torch.Tensor]] = []

    def work(items: range) -> int:
        assert all(each() is None for each in alive)
        big = torch.zeros(len(items))
        alive.append(weakref.ref(big))
        if len(items) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return len(items)

    assert sum(split_on_oom(8, work, lambda note: None)) == 8


def test_a_half_has_the_same_place_whatever_else_is_halved() -> None:
    few, many = (list(split_on_oom(10, fits(most), lambda note: None)) for most in (3, 2))
    assert few == [range(3), range(3, 5), range(5, 8), range(8, 10)]
    assert many == [range(2), range(2, 3), range(3, 5), range(5, 7), range(7, 8), range(8, 10)]


def test_a_half_is_begun_when_the_one_before_was_taken() -> None:
    taken: list[int] = []

    def work(items: range) -> int:
        if len(items) > 2:
            raise MemoryError
        assert len(taken) == items[0] // 2
        return items[0]

    for first in split_on_oom(8, work, lambda note: None):
        taken.append(first)
    assert taken == [0, 2, 4, 6]


def test_blocks_are_halved_until_they_fit() -> None:
    def work(size: int) -> int:
        if size > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return size

    notes: list[str] = []
    assert smaller_blocks_on_oom(16, work, notes.append) == 4
    assert notes == [f"blocks of {n} frames ran out of memory; done in blocks of {n // 2}" for n in (16, 8)]


def test_a_block_of_one_that_does_not_fit_is_an_error_with_the_remedy() -> None:
    def work(size: int) -> int:
        raise MemoryError

    with pytest.raises(StillskyError, match=r"one frame alone.*--device cpu"):
        smaller_blocks_on_oom(4, work, lambda note: None)
