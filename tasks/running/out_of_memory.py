"""Work that did not fit into memory is done in halves, or in smaller blocks."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar, cast

import torch

from storage.errors import StillskyError

T = TypeVar("T")
R = TypeVar("R")
_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
"""What CUDA, cuBLAS, cuDNN and torch's own allocator say, each under another class."""


def in_halves(
    batch: Sequence[T], work: Callable[[Sequence[T], int], R], note: Callable[[str], None], place: int = 0
) -> Iterator[R]:
    """Results of `work` on a batch, or, where that runs out of memory, on its halves in order, or on theirs.

    `work` is told the place of what it is given, whatever was halved elsewhere: 0 for the whole, 2p + 1 and 2p + 2 for the
    halves of p. A half is begun when the results before it were taken. `note` is told of every halving, for the report.
    A single item that does not fit is an error.
    """
    result, refused = _attempt(lambda: work(batch, place))
    if not refused:
        yield cast(R, result)
        return
    if len(batch) < 2:
        raise _too_large(refused)
    half = (len(batch) + 1) // 2
    note(f"{len(batch)} frames together ran out of memory; done as {half} and {len(batch) - half}")
    for number, part in enumerate((batch[:half], batch[half:]), start=1):
        yield from in_halves(part, work, note, 2 * place + number)


def in_blocks(size: int, work: Callable[[int], R], note: Callable[[str], None]) -> R:
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
