"""Is a capture whole, and is it the one that was seen before? Sizes and times of its files, looked at twice."""

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
class Look:
    """A capture at a glance."""

    mark: str
    """Changes when any file of it is replaced or written."""
    bytes: int
    """Size of all its files."""
    newest: float
    """When the last of them was written, seconds of the wall clock."""


def look_at(capture: Path) -> Look:
    """Inode, size and times of a capture's file, or of all the files in its folder; OSError where it is gone."""
    files = [capture]
    if capture.is_dir():
        files = sorted(
            p for p in capture.iterdir() if p.suffix.lower() in FRAME_SUFFIXES and not p.name.startswith(".")
        )
    stats = [(p.name, p.stat()) for p in files]
    lines = [f"{name}\0{s.st_dev}:{s.st_ino}:{s.st_size}:{s.st_mtime_ns}:{s.st_ctime_ns}" for name, s in stats]
    mark = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    return Look(mark, sum(s.st_size for _, s in stats), max((s.st_mtime for _, s in stats), default=0.0))


@dataclass
class Watch:
    """Tells captures that are whole from those that are still being written; it knows what it saw when it looked before.

    A wall clock that jumps neither lets an unfinished capture pass nor holds a whole one back for ever: a second look,
    some time later by a clock that cannot be set, is always needed, and standing still for `settle_s` by that clock is
    enough whatever the files' times say.
    """

    settle_s: float
    look_s: float
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _seen: dict[Path, tuple[Look, float]] = field(default_factory=dict)

    def whole(self, capture: Path) -> bool:
        """Is it whole, as far as can be told now? False at the first look."""
        try:
            look = look_at(capture)
        except OSError:
            self._seen.pop(capture, None)
            return False
        now = self.clock()
        before, since = self._seen.get(capture, (None, now))
        if before != look:
            self._seen[capture] = (look, now)
            return False
        still = now - since
        if still >= max(self.settle_s, self.look_s):
            return True
        old = self.wall() - look.newest >= self.settle_s
        return old and still >= self.look_s and not is_unfinished(capture, look.bytes)

    def settled(self, capture: Path) -> bool:
        """Has it stood still for `settle_s`, as far as was looked?"""
        seen = self._seen.get(capture)
        return seen is not None and self.clock() - seen[1] >= max(self.settle_s, self.look_s)


def recalled(store: Store, capture: Path) -> str | None:
    """The fingerprint of a capture that has not changed since it was read last; None where that is not known."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        held = json.loads(_memory(store, capture).read_text(encoding="utf-8"))
        if held["mark"] == look_at(capture).mark and held["path"] == _name(capture):
            return str(held["fingerprint"])
    return None


def known_fingerprint(store: Store) -> Callable[[Path], str]:
    """`fingerprint` with a memory in the store: a file that has not changed since is not read again."""

    def known(capture: Path) -> str:
        found = recalled(store, capture)
        return found if found is not None else _remembered(store, capture)

    return known


def _remembered(store: Store, capture: Path) -> str:
    """Read a capture's content and keep what identifies it, unless it changed meanwhile."""
    before = mark_of(capture)
    found = fingerprint(capture)
    if before and before == mark_of(capture):
        held = {"path": _name(capture), "mark": before, "fingerprint": found}
        with suppress(OSError, StoreError), atomic(_memory(store, capture)) as temporary:  # a full disk costs only time
            temporary.write_text(json.dumps(held), encoding="utf-8")
    return found


def mark_of(capture: Path) -> str:
    """What changes when any file of a capture does; empty where it is gone."""
    try:
        return look_at(capture).mark
    except (OSError, ValueError):
        return ""


def _name(capture: Path) -> str:
    return os.fsencode(capture.absolute()).decode("utf-8", "backslashreplace")


def _memory(store: Store, capture: Path) -> Path:
    return store.root / "fingerprints" / f"{hashlib.sha256(_name(capture).encode()).hexdigest()[:32]}.json"


def forget_missing(store: Store) -> int:
    """Drop the fingerprints of captures that are no more; returns how many."""
    gone = 0
    for memory in (store.root / "fingerprints").glob("*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            if not Path(json.loads(memory.read_text(encoding="utf-8"))["path"]).exists():
                memory.unlink()
                gone += 1
    return gone
