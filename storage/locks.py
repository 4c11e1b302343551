"""Locks between processes: a file held as long as the process that took it lives, however that ends."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from storage.errors import StoreError

LOOK_S = 0.5
"""Pause between two looks at a lock that somebody else holds."""


def take(path: Path, note: str) -> int | None:
    """Hold a lock until the returned descriptor is closed or this process ends; None where another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"the lock {path} cannot be made: {error.strerror}; change the permissions") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    tell(descriptor, note)
    return descriptor


def tell(descriptor: int, note: str) -> None:
    """Say what a lock is held for."""
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} ({note})".encode(), 0)


def is_held(path: Path) -> bool:
    """Does a living process hold this lock?"""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> str:
    """Who holds a lock, in words."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:
        return "another process"


@contextlib.contextmanager
def one_of(paths: Sequence[Path], note: str, waiting: Callable[[str], None]) -> Iterator[Path]:
    """Hold the first of several locks that comes free; `waiting` is told once, and anew when the holders change."""
    told = ""
    while True:
        for path in paths:
            descriptor = take(path, note)
            if descriptor is not None:
                try:
                    yield path
                finally:
                    os.close(descriptor)
                return
        others = " and ".join(holder(path) for path in paths)
        if others != told:
            waiting(others)
            told = others
        time.sleep(LOOK_S)  # not a blocking flock: a timeout of Prefect's could not interrupt that
