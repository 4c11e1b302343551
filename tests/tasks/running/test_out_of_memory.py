"""Batches that run out of memory: halved until they fit, in order, and told."""

from collections.abc import Callable, Sequence

import pytest
import torch

from storage.errors import StillskyError
from tasks.running.out_of_memory import in_blocks, in_halves, out_of_memory


def fits(most: int) -> Callable[[Sequence[int], int], tuple[Sequence[int], int]]:
    def work(batch: Sequence[int], place: int) -> tuple[Sequence[int], int]:
        if len(batch) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB\nmore")
        return batch, place

    return work


@pytest.mark.parametrize(("most", "parts"), [(10, [10]), (5, [5, 5]), (4, [3, 2, 3, 2]), (1, [1] * 10)])
def test_a_batch_is_halved_until_it_fits(most: int, parts: list[int]) -> None:
    notes: list[str] = []
    done = list(in_halves(range(10), fits(most), notes.append))
    assert [len(batch) for batch, _ in done] == parts
    assert [frame for batch, _ in done for frame in batch] == list(range(10))
    assert len(notes) == len(parts) - 1


def test_every_halving_is_told() -> None:
    notes: list[str] = []
    list(in_halves(range(7), fits(4), notes.append))
    assert notes == ["7 frames together ran out of memory; done as 4 and 3"]


def test_one_that_does_not_fit_alone_is_an_error_with_the_remedy() -> None:
    with pytest.raises(StillskyError, match=r"one frame alone.*Tried to allocate 20.00 GiB.*--device cpu"):
        list(in_halves(range(2), fits(0), lambda note: None))


def test_what_is_no_lack_of_memory_is_not_tried_again() -> None:
    tried: list[int] = []

    def work(batch: Sequence[int], place: int) -> int:
        tried.append(len(batch))
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(in_halves(range(8), work, lambda note: None))
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

    def work(batch: Sequence[int], place: int) -> int:
        assert all(each() is None for each in alive)
        big = torch.zeros(len(batch))
        alive.append(weakref.ref(big))
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return len(batch)

    assert sum(in_halves(range(8), work, lambda note: None)) == 8


def test_a_half_has_the_same_place_whatever_else_is_halved() -> None:
    few = {tuple(batch): place for batch, place in in_halves(range(10), fits(3), lambda note: None)}
    many = {tuple(batch): place for batch, place in in_halves(range(10), fits(2), lambda note: None)}
    assert len(set(few.values()) | set(many.values())) == len(few.keys() | many.keys())
    assert all(few[batch] == many[batch] for batch in few.keys() & many.keys())


def test_a_half_is_begun_when_the_one_before_was_taken() -> None:
    taken: list[int] = []

    def work(batch: Sequence[int], place: int) -> int:
        if len(batch) > 2:
            raise MemoryError
        assert len(taken) == batch[0] // 2
        return place

    for place in in_halves(range(8), work, lambda note: None):
        taken.append(place)
    assert taken == [3, 4, 5, 6]


def test_blocks_are_halved_until_they_fit() -> None:
    def work(size: int) -> int:
        if size > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return size

    notes: list[str] = []
    assert in_blocks(16, work, notes.append) == 4
    assert notes == [f"blocks of {n} frames ran out of memory; done in blocks of {n // 2}" for n in (16, 8)]


def test_a_block_of_one_that_does_not_fit_is_an_error_with_the_remedy() -> None:
    def work(size: int) -> int:
        raise MemoryError

    with pytest.raises(StillskyError, match=r"one frame alone.*--device cpu"):
        in_blocks(4, work, lambda note: None)
