"""What every step of a round reads of a capture, opened together."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from storage.product import CaptureProducts
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Mean, Seeing, Stack
from tasks.running.step import Work


@dataclass(frozen=True)
class Inputs:
    """The open products of a capture."""

    work: Work
    clean: CleanFrames
    mean: Mean
    stack: Stack
    seeing: Seeing


@contextlib.contextmanager
def open_inputs(work: Work, products: CaptureProducts) -> Iterator[Inputs]:
    """Lend the products that every round needs."""
    with (
        open_clean_frames(work, products.frames) as clean,
        work.open(Mean, products.mean) as mean,
        work.open(Stack, products.stack) as stack,
        work.open(Seeing, products.seeing) as seeing,
    ):
        yield Inputs(work, clean, mean, stack, seeing)
