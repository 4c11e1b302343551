"""Files that are whole or not there: written beside their place, flushed to the disk, then renamed."""

import contextlib
import errno
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from uuid import uuid4

from storage.errors import StoreError

_REFUSALS = tuple(os.strerror(e) for e in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS))
"""What a disk says that takes no more."""
HOST = re.sub(r"\W+", "-", socket.gethostname())[:40] or "-"
"""This machine, as it stands in the names of temporary files: several may share a store."""
TEMPORARY = re.compile(rf"\..+\.{re.escape(HOST)}\.(\d+)\.[0-9a-f]{{6}}\.tmp")
"""Name of a file that a process of this machine is still writing; its number is in it."""


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Lend a temporary path that becomes `path`, flushed to the disk, when the block ends without an exception."""
    temporary = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.{uuid4().hex[:6]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for name in (temporary, path.parent):
            if name == path.parent:
                temporary.replace(path)
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, PermissionError):
            raise StoreError(
                f"{path.parent} cannot be written: permission denied; change its permissions or choose another folder"
            ) from None
        raise


def publish(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file for the user (FITS, PNG, JSON) whole or not at all, with words for a disk that refuses."""
    try:
        swept(p for p in path.parent.glob(".*.tmp") if p.name.startswith(f".{path.name}."))
        with atomic(path) as temporary:
            write(temporary)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({reason(error)}); make room or choose another folder with --out"
        ) from error


def refused_by_disk(error: BaseException) -> bool:
    """Did the disk refuse the file that is being written? Anything else that goes wrong in a step says so itself."""
    if isinstance(error, OSError) and error.filename and not str(error.filename).endswith(".tmp"):
        return False
    return reason(error) in _REFUSALS


def reason(error: BaseException) -> str:
    """What the system said, if need be to an earlier error: HDF5 fails again, in other words, when it closes the file."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
        if said := [words for words in _REFUSALS if words in str(cause)]:
            return said[0]
        cause = cause.__cause__ or cause.__context__
    return str(error)[:200]


def swept(paths: Iterable[Path]) -> int:
    """Remove those of the temporary files whose process, of this machine, is no more; how many they were.

    Nobody here knows what lives on other machines: theirs are left to them.
    """
    found = ((path, TEMPORARY.fullmatch(path.name)) for path in paths)
    stale = [path for path, ours in found if ours and not _alive(int(ours[1]))]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
