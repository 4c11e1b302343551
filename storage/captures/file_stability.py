"""Is a capture complete, and is it the file whose fingerprint is known? Told by sizes and times of its files."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from storage.atomic import atomic
from storage.captures.readers import FRAME_SUFFIXES, fingerprint, is_unfinished
from storage.errors import StoreError
from storage.store import Store


@dataclass(frozen=True)
class FileState:
    """Sizes and times of a capture's files at one moment."""

    digest: str
    """Changes when any file of it is replaced or written."""
    bytes: int
    """Size of all its files."""
    newest: float
    """When the last of them was written, seconds of the wall clock."""


def file_state(capture: Path) -> FileState:
    """Inode, size and times of a capture's file, or of all the files in its folder; OSError where it is gone."""
    files = [capture]
    if capture.is_dir():
        files = sorted(
            p for p in capture.iterdir() if p.suffix.lower() in FRAME_SUFFIXES and not p.name.startswith(".")
        )
    stats = [(p.name, p.stat()) for p in files]
    lines = [f"{name}\0{s.st_dev}:{s.st_ino}:{s.st_size}:{s.st_mtime_ns}:{s.st_ctime_ns}" for name, s in stats]
    digest = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    return FileState(digest, sum(s.st_size for _, s in stats), max((s.st_mtime for _, s in stats), default=0.0))


@dataclass
class StabilityCheck:
    """Tells complete captures from those that are still being written, from their states at several moments.

    The wall clock may jump. So a second state is always needed, some time later by a clock that cannot be set, and files
    that do not change for `settle_s` by that clock are complete whatever their times are.
    """

    settle_s: float
    """A file that has not changed for this long is complete."""
    poll_s: float
    """Shortest time between two states that are compared."""
    clock: Callable[[], float] = time.monotonic
    """A clock that cannot be set."""
    wall: Callable[[], float] = time.time
    """The clock that file times are compared with."""
    _states: dict[Path, tuple[FileState, float]] = field(default_factory=dict)

    def is_complete(self, capture: Path) -> bool:
        """Is it complete, as far as its states tell? False at the first call."""
        try:
            state = file_state(capture)
        except OSError:
            self._states.pop(capture, None)
            return False
        now = self.clock()
        before, since = self._states.get(capture, (None, now))
        if before != state:
            self._states[capture] = (state, now)
            return False
        unchanged_s = now - since
        if unchanged_s >= max(self.settle_s, self.poll_s):
            return True
        old = self.wall() - state.newest >= self.settle_s
        return old and unchanged_s >= self.poll_s and not is_unfinished(capture, state.bytes)

    def settled(self, capture: Path) -> bool:
        """Has it not changed for `settle_s`?"""
        known = self._states.get(capture)
        return known is not None and self.clock() - known[1] >= max(self.settle_s, self.poll_s)


def remembered_fingerprint(store: Store, capture: Path) -> str | None:
    """The fingerprint of a capture that has not changed since it was read last; None where that is not known."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        record = json.loads(_cache_file(store, capture).read_text(encoding="utf-8"))
        if record["state"] == file_state(capture).digest and record["path"] == _name(capture):
            return str(record["fingerprint"])
    return None


def cached_fingerprint(store: Store) -> Callable[[Path], str]:
    """`fingerprint`, cached in the store: a file that has not changed since is not read again."""

    def read(capture: Path) -> str:
        remembered = remembered_fingerprint(store, capture)
        return remembered if remembered is not None else _read_and_remember(store, capture)

    return read


def _read_and_remember(store: Store, capture: Path) -> str:
    """Read a capture's content and keep what identifies it, unless it changed meanwhile."""
    before = state_digest(capture)
    read = fingerprint(capture)
    if before and before == state_digest(capture):
        record = {"path": _name(capture), "state": before, "fingerprint": read}
        # A full disk costs only the time to read the capture again.
        with suppress(OSError, StoreError), atomic(_cache_file(store, capture)) as temporary:
            temporary.write_text(json.dumps(record), encoding="utf-8")
    return read


def state_digest(capture: Path) -> str:
    """What changes when any file of a capture does; empty where it is gone."""
    try:
        return file_state(capture).digest
    except (OSError, ValueError):
        return ""


def _name(capture: Path) -> str:
    return os.fsencode(capture.absolute()).decode("utf-8", "backslashreplace")


def _cache_file(store: Store, capture: Path) -> Path:
    return store.root / "fingerprints" / f"{hashlib.sha256(_name(capture).encode()).hexdigest()[:32]}.json"


def forget_missing(store: Store) -> int:
    """Drop the fingerprints of captures that are no more; returns how many."""
    gone = 0
    for file in (store.root / "fingerprints").glob("*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            if not Path(json.loads(file.read_text(encoding="utf-8"))["path"]).exists():
                file.unlink()
                gone += 1
    return gone
