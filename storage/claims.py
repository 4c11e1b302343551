"""Claims: one process makes a thing, the others wait for it; a claim dies with its process, however that ends."""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

LOOK_S = 0.2
"""Pause between two looks at a claim that somebody else holds: a blocking wait could not be interrupted by a timeout."""

log = logging.getLogger("stillsky")


@contextlib.contextmanager
def claim(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` for the block; wait for whoever holds it, and say so once."""
    descriptor = _take(path)
    if descriptor is None:
        log.info("waiting for another process that works on %s", what)
    while descriptor is None:
        time.sleep(LOOK_S)
        descriptor = _take(path)
    with _held(path, descriptor):
        yield


@contextlib.contextmanager
def claim_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` for the block if nobody else does; tells whether."""
    descriptor = _take(path)
    if descriptor is None:
        yield False
        return
    with _held(path, descriptor):
        yield True


@contextlib.contextmanager
def _held(path: Path, descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(
            missing_ok=True
        )  # while it is still locked: who waits for it sees that it is gone, and takes a new one
        os.close(descriptor)


def _take(path: Path) -> int | None:
    """Lock a file that is there under its name afterwards, too; None while somebody else holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
