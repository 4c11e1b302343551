"""Blocks come in order, one is read ahead, and an error of reading comes where its block was due."""

import threading
from collections.abc import Iterator

import pytest

from tasks.products.read_ahead import read_ahead


def test_all_blocks_come_in_order() -> None:
    assert list(read_ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(read_ahead(iter(()))) == []


def test_the_next_block_is_read_while_the_first_is_in_use() -> None:
    begun = threading.Event()

    def blocks() -> Iterator[int]:
        yield 0
        begun.set()
        yield 1

    reader = read_ahead(blocks())
    assert next(reader) == 0
    assert begun.wait(10)


def test_no_more_than_one_block_is_read_ahead() -> None:
    read: list[int] = []
    reader = read_ahead(read.append(k) or k for k in range(9))  # type: ignore[func-returns-value]
    assert next(reader) == 0
    reader.close()  # type: ignore[attr-defined]
    assert read == [0, 1]


def test_an_error_of_reading_is_raised() -> None:
    def blocks() -> Iterator[int]:
        yield 0
        raise OSError("the disk is gone")

    reader = read_ahead(blocks())
    assert next(reader) == 0
    with pytest.raises(OSError, match="gone"):
        next(reader)
