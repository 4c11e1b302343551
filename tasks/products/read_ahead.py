"""Blocks read one ahead in a thread, so that the next is there when the present one is done."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Kind = TypeVar("Kind")


def read_ahead(blocks: Iterator[Kind]) -> Iterator[Kind]:
    """The same blocks in the same order; memory holds one more. An error of reading is raised where its block was due."""
    with ThreadPoolExecutor(1, thread_name_prefix="read ahead") as thread:
        following = thread.submit(next, blocks, None)
        while (block := following.result()) is not None:
            following = thread.submit(next, blocks, None)
            yield block
