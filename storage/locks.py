"""Locks between processes: a file held as long as the process that took it lives, however that ends."""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from storage.errors import StoreError

LOOK_S = 0.2
"""Pause between two looks at a lock that somebody else holds."""
GLANCES, GLANCE_S = 4, 0.005
"""A lock counts as held when it is at so many glances, this far apart: `is_held` itself holds it for an instant."""

log = logging.getLogger("stillsky")


def take(path: Path, note: str) -> int | None:
    """Hold a lock until the returned descriptor is closed or this process ends; None where somebody else holds it."""
    for _ in range(GLANCES):
        descriptor = _lock(path)
        if descriptor is not None:
            tell(descriptor, note)
            return descriptor
        time.sleep(GLANCE_S)
    return None


def tell(descriptor: int, note: str) -> None:
    """Say what a lock is held for; a full disk leaves it unsaid."""
    with contextlib.suppress(OSError):
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} ({note})".encode("utf-8", "surrogateescape"), 0)


def is_held(path: Path) -> bool:
    """Does a living process hold this lock?"""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
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


@contextlib.contextmanager
def claim(path: Path, what: str) -> Iterator[None]:
    """Hold a lock that leaves no file for the block; wait for whoever holds it, and say so."""
    with one_of([path], what, lambda others: log.info("%s: waiting for %s", what, others)), _gone_after(path):
        yield


@contextlib.contextmanager
def claim_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock that leaves no file for the block if nobody else does; tells whether."""
    descriptor = take(path, path.stem)
    if descriptor is None:
        yield False
        return
    try:
        with _gone_after(path):
            yield True
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _gone_after(path: Path) -> Iterator[None]:
    """Remove the file while it is still locked: who waits for it sees that it is gone, and takes a new one."""
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _lock(path: Path) -> int | None:
    """Lock a file that is there under its name afterwards, too; None while somebody else holds it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(
                f"the lock {path} cannot be made: {error.strerror}; change the permissions or make room"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass  # its last holder removed it meanwhile
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
