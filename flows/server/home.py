"""Prefect's home under the store: is there room for its records, and no locks of runs that are over."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from storage.errors import StoreError
from storage.locks import NO_LINKS, claim_if_free, is_held

MIN_FREE_BYTES = 32_000_000
"""Prefect's server needs about this much for its database and journal to start at all."""


RESULTS = "STILLSKY_RESULTS"
"""Environment variable with the folder of results of `stillsky serve`: for requests that do not say where theirs go."""


def check_room(root: Path) -> None:
    """Can the store be written, and has it room for Prefect's records? StoreError with the cause where not."""
    probe = root / f".probe-{uuid4().hex[:8]}.tmp"
    try:
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o600)
        try:
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink()
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise StoreError(
            f"the store {root} cannot be written: {error.strerror}; make room or change its permissions, or choose "
            f"another with --store"
        ) from None
    if free < MIN_FREE_BYTES:
        raise StoreError(
            f"the store {root} has {free / 1e6:.0f} MB free, and Prefect's records need {MIN_FREE_BYTES / 1e6:.0f} MB; "
            f"make room, e.g. with `stillsky store prune`, or choose another disk with --store"
        )


def make_home(home: Path) -> None:
    """Prefect's home, for its user alone."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"Prefect's home {home} cannot be made: {error.strerror}; choose another --store") from None


def open_log(path: Path) -> BinaryIO:
    """A log to append to; a link in its place is refused."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_LINKS, 0o600), "ab")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; remove it, or choose another --store") from None


def run_lock(home: Path, run: str) -> Path:
    """The lock that the process of a flow run holds while it lives."""
    return home / "runs" / f"{run}.lock"


def living_runs(home: Path) -> list[Path]:
    """The locks of runs that have a living process."""
    return [lock for lock in (home / "runs").glob("*.lock") if is_held(lock)]


def sweep_run_locks(home: Path) -> None:
    """Remove the locks that killed runs left."""
    for lock in (home / "runs").glob("*.lock"):
        with claim_if_free(lock):  # which removes it
            pass
