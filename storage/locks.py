"""Locks between processes: a file held as long as the process that took it lives, however that ends."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from filelock import lock_descriptor

from storage.errors import StoreError

POLL_S = 0.2
"""Pause between two attempts to take a lock that somebody else holds."""
ATTEMPTS, ATTEMPT_PAUSE_S = 4, 0.005
"""A lock counts as held when this many attempts, this far apart, fail: `is_held` itself holds it for an instant."""
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
"""Open flag: a symbolic link in a file's place is refused (Windows has no such flag)."""

MAX_COMMAND_CHARS = 200
"""A longer command is cut in the note of a lock."""

log = logging.getLogger("stillsky.waiting")
"""Its lines are shown at once by whoever waits at a terminal or in a job."""


def take(path: Path, note: str) -> int | None:
    """Hold a lock until the returned descriptor is closed or this process ends; None where somebody else holds it."""
    for _ in range(ATTEMPTS):
        descriptor = _lock(path)
        if descriptor is not None:
            annotate(descriptor, note)
            return descriptor
        time.sleep(ATTEMPT_PAUSE_S)
    return None


def annotate(descriptor: int, note: str) -> None:
    """Write into a lock what it is held for, by which command and since when; on a full disk the note is left out."""
    text = f"process {os.getpid()} ({note}), since {datetime.now():%Y-%m-%d %H:%M:%S}: {_command()}"
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode("utf-8", "surrogateescape"))


def _command() -> str:
    """What this process was started as, in one line."""
    words = " ".join([Path(sys.argv[0] or sys.executable).name, *sys.argv[1:]])
    return "".join(c if c.isprintable() else " " for c in words)[:MAX_COMMAND_CHARS]


def tell_waiting(what: str, holders: str) -> None:
    """Say at once that something waits, and for whom."""
    log.info("%s: waiting for %s", what, holders)


def is_held(path: Path) -> bool:
    """Does a living process hold this lock?"""
    try:
        descriptor = os.open(path, os.O_RDWR | NO_LINKS)
    except FileNotFoundError:
        return False
    try:
        for _ in range(ATTEMPTS):
            if lock_descriptor(descriptor, blocking=False):
                return False
            time.sleep(ATTEMPT_PAUSE_S)
    finally:
        os.close(descriptor)
    return True


def holder(path: Path) -> str:
    """Who holds a lock: the note in it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:
        return "another process"


@contextlib.contextmanager
def one_of(paths: Sequence[Path], note: str, waiting: Callable[[str], None]) -> Iterator[Path]:
    """Hold the first of several locks that comes free; `waiting` is called with the holders whenever they change."""
    reported = ""
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
        if others != reported:
            waiting(others)
            reported = others
        time.sleep(POLL_S)  # not a blocking lock: a timeout of Prefect's could not interrupt that


@contextlib.contextmanager
def claim(path: Path, what: str) -> Iterator[None]:
    """Hold a lock that leaves no file for the block; wait for whoever holds it, and say so."""
    with one_of([path], what, partial(tell_waiting, what)), _removed_after(path):
        yield


@contextlib.contextmanager
def claim_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock that leaves no file for the block if nobody else does; lends whether it does."""
    descriptor = take(path, path.stem)
    if descriptor is None:
        yield False
        return
    try:
        with _removed_after(path):
            yield True
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _removed_after(path: Path) -> Iterator[None]:
    """Remove the file while it is still locked: whoever waits for it sees that it is gone, and takes a new one."""
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):  # Windows removes no open file; an unlocked one does no harm
            path.unlink(missing_ok=True)


def _lock(path: Path) -> int | None:
    """Lock a file that is there under its name afterwards, too; None while somebody else holds it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o600)
        except OSError as error:
            raise StoreError(
                f"the lock {path} cannot be made: {error.strerror}; change the permissions or make room"
            ) from None
        try:
            if not lock_descriptor(descriptor, blocking=False):
                os.close(descriptor)
                return None
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass  # its last holder removed it meanwhile
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
