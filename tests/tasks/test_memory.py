"""Batches that run out of memory: halved until they fit, in order, and told."""

from collections.abc import Sequence

import pytest
import torch

from storage.errors import StillskyError
from tasks.memory import in_halves, out_of_memory


def fits(most: int, tried: list[int]) -> object:
    def work(batch: Sequence[int]) -> int:
        tried.append(len(batch))
        if len(batch) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB\nmore")
        return sum(batch)

    return work


@pytest.mark.parametrize(("most", "parts"), [(10, [10]), (5, [5, 5]), (4, [3, 2, 3, 2]), (1, [1] * 10)])
def test_a_batch_is_halved_until_it_fits(most: int, parts: list[int]) -> None:
    notes: list[str] = []
    done = list(in_halves(range(10), fits(most, []), notes.append))  # type: ignore[arg-type]
    assert [len(batch) for batch, _ in done] == parts
    assert [frame for batch, _ in done for frame in batch] == list(range(10))
    assert sum(result for _, result in done) == sum(range(10))
    assert len(notes) == len(parts) - 1


def test_every_halving_is_told() -> None:
    notes: list[str] = []
    list(in_halves(range(7), fits(4, []), notes.append))  # type: ignore[arg-type]
    assert notes == ["7 frames together ran out of memory; done as 4 and 3"]


def test_one_that_does_not_fit_alone_is_an_error_with_the_remedy() -> None:
    with pytest.raises(StillskyError, match=r"one frame alone.*Tried to allocate 20.00 GiB.*--device cpu"):
        list(in_halves(range(2), fits(0, []), lambda note: None))  # type: ignore[arg-type]


def test_what_is_no_lack_of_memory_is_not_tried_again() -> None:
    tried: list[int] = []

    def work(batch: Sequence[int]) -> int:
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

    def work(batch: Sequence[int]) -> int:
        assert all(each() is None for each in alive)
        big = torch.zeros(len(batch))
        alive.append(weakref.ref(big))
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return len(batch)

    assert sum(result for _, result in in_halves(range(8), work, lambda note: None)) == 8
