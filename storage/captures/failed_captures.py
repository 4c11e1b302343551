"""Captures whose own files are broken, remembered in the store: tried again only when something about them has changed."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from storage.atomic import atomic
from storage.captures.file_stability import state_digest
from storage.errors import StillskyError, StoreError
from storage.store import Store


@dataclass(frozen=True)
class Attempt:
    """A capture with everything that its failure depended on."""

    capture: Path
    settings: Mapping[str, Any]
    """All settings as JSON values, or the reason why they cannot be used."""
    calibration: tuple[Path, ...] = ()
    """Dark and flat."""

    def key(self, fingerprint: Callable[[Path], str]) -> str:
        """Changes with the capture's content, the settings, the calibration frames, and the version of stillsky."""
        with suppress(StillskyError, OSError):
            identity = [fingerprint(self.capture), *(state_digest(path) for path in self.calibration)]
            facts = [identity, dict(self.settings), version("stillsky")]
            return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
        return ""


def failed_before(store: Store, attempt: Attempt, fingerprint: Callable[[Path], str]) -> str:
    """Why the very same attempt failed; empty where it did not, or something has changed."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        record = json.loads(_record(store, attempt.capture).read_text(encoding="utf-8"))
        key = attempt.key(fingerprint)
        if key and record["key"] == key:
            return str(record["reason"])
    return ""


def remember_failure(store: Store, attempt: Attempt, fingerprint: Callable[[Path], str], reason: str) -> None:
    """Keep why an attempt failed; a full disk only costs another attempt."""
    if key := attempt.key(fingerprint):
        record = {"path": _name(attempt.capture), "key": key, "reason": reason}
        with suppress(OSError, StoreError), atomic(_record(store, attempt.capture)) as temporary:
            temporary.write_text(json.dumps(record), encoding="utf-8")


def forget_missing_failures(store: Store) -> int:
    """Drop what is remembered of captures that are no more; returns how many."""
    return sum(_drop_missing((store.root / "failures").glob("*.json")))


def _drop_missing(records: Iterable[Path]) -> Iterable[int]:
    for record in records:
        with suppress(OSError, ValueError, LookupError, TypeError):
            if not Path(json.loads(record.read_text(encoding="utf-8"))["path"]).exists():
                record.unlink()
                yield 1


def _record(store: Store, capture: Path) -> Path:
    return store.root / "failures" / f"{hashlib.sha256(_name(capture).encode()).hexdigest()[:32]}.json"


def _name(capture: Path) -> str:
    return os.fsencode(capture.absolute()).decode("utf-8", "backslashreplace")
