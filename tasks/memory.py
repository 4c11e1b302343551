"""Work that did not fit into memory is done in halves."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from storage.errors import StillskyError

T = TypeVar("T")
R = TypeVar("R")
_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
"""What CUDA, cuBLAS, cuDNN and torch's own allocator say, each under another class."""


def in_halves(
    batch: Sequence[T], work: Callable[[Sequence[T]], R], note: Callable[[str], None]
) -> Iterator[tuple[Sequence[T], R]]:
    """Results of `work` on a batch, or, where that runs out of memory, on its halves in order, or on theirs.

    `note` is told of every halving, for the report. A single item that does not fit is an error.
    """
    refused = ""
    try:
        result = work(batch)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        refused = str(error).splitlines()[0] if str(error) else type(error).__name__
    if not refused:
        yield batch, result
        return
    # Only here, outside the except clause, is the traceback gone that kept the failed attempt's arrays alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if len(batch) < 2:
        raise StillskyError(
            f"one frame alone does not fit into memory ({refused}); free memory of the device, use --device cpu, or "
            f"cut the frames smaller"
        )
    half = (len(batch) + 1) // 2
    note(f"{len(batch)} frames together ran out of memory; done as {half} and {len(batch) - half}")
    for part in (batch[:half], batch[half:]):
        yield from in_halves(part, work, note)


def out_of_memory(error: BaseException) -> bool:
    """Is this what a device says that has no memory left? The same work in smaller pieces may fit."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)
