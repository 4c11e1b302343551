"""Work that did not fit into memory is done in halves, or in smaller blocks."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar, cast

import torch

from storage.errors import StillskyError

R = TypeVar("R")
_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
"""What CUDA, cuBLAS, cuDNN and torch's own allocator say, each under another class."""


def split_on_oom(count: int, work: Callable[[range], R], note: Callable[[str], None]) -> Iterator[R]:
    """Results of `work` on the items 0 .. count - 1 at once, or, where that runs out of memory, on halves in order.

    `work` gets the range of items to do. A half is begun when the results before it were taken. `note` receives a line
    for the report about every halving. A single item that does not fit is an error.
    """
    yield from _split(range(count), work, note)


def _split(items: range, work: Callable[[range], R], note: Callable[[str], None]) -> Iterator[R]:
    result, refused = _attempt(partial(work, items))
    if not refused:
        yield cast(R, result)
        return
    if len(items) < 2:
        raise _too_large(refused)
    half = (len(items) + 1) // 2
    note(f"{len(items)} frames together ran out of memory; done as {half} and {len(items) - half}")
    for part in (items[:half], items[half:]):
        yield from _split(part, work, note)


def smaller_blocks_on_oom(size: int, work: Callable[[int], R], note: Callable[[str], None]) -> R:
    """The result of work that goes through its items in blocks of `size`, or of half so many until they fit."""
    while True:
        result, refused = _attempt(partial(work, size))
        if not refused:
            return cast(R, result)
        if size < 2:
            raise _too_large(refused)
        note(f"blocks of {size} frames ran out of memory; done in blocks of {size // 2}")
        size //= 2


def _too_large(refused: str) -> StillskyError:
    return StillskyError(
        f"one frame alone does not fit into memory ({refused}); free memory of the device, use --device cpu, or cut the "
        f"frames smaller"
    )


def _attempt(work: Callable[[], R]) -> tuple[R | None, str]:
    """The result of work, or what was said when it ran out of memory; what it held is free again then."""
    refused = ""
    try:
        return work(), refused
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        refused = str(error).splitlines()[0] if str(error) else type(error).__name__
    # Only here, outside the except clause, is the traceback gone that kept the failed attempt's arrays alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None, refused


def out_of_memory(error: BaseException) -> bool:
    """Is this what a device says that has no memory left? The same work in smaller pieces may fit."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)
