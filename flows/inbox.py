"""The watched folder: a capture that nobody writes to any more becomes a run, once."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient

from storage.night import find_captures, is_whole


@dataclass
class Inbox:
    """A folder and what has been seen in it."""

    folder: Path
    out: Path
    settle_s: float
    """A capture unchanged for this long counts as finished."""
    now: Callable[[], float] = time.monotonic
    seen: dict[Path, tuple[str, float]] = field(default_factory=dict)
    """Capture: what it looked like, and since when."""
    sent: set[str] = field(default_factory=set)

    def finished(self) -> list[tuple[Path, str]]:
        """Captures that have settled since the last look, each with the mark that tells this content from another."""
        ready = []
        for path in find_captures(self.folder, self.out):
            mark = look(path)
            before, since = self.seen.get(path, ("", 0.0))
            if mark != before:
                self.seen[path] = mark, self.now()
            elif mark not in self.sent and self.now() - since >= self.settle_s and is_whole(path):
                ready.append((path, mark))
        return ready

    def send(self, client: SyncPrefectClient, deployment: UUID, request: dict[str, Any]) -> list[str]:
        """Ask for a run of every capture that has settled; returns their names. Asking twice makes one run."""
        names = []
        for path, mark in self.finished():
            wanted = {**request, "capture": str(path), "out": str(self.out / self.place(path))}
            run = client.create_flow_run_from_deployment(
                deployment, parameters={"request": wanted}, idempotency_key=f"{deployment}-{mark}"
            )
            self.sent.add(mark)
            if run.run_count == 0 and run.state is not None and run.state.is_scheduled():
                names.append(path.name)
        return names

    def place(self, path: Path) -> Path:
        """Where in the results' folder those of a capture lie: as a night run would put them."""
        return path.relative_to(self.folder).with_suffix("") if path.is_file() else path.relative_to(self.folder)


def look(path: Path) -> str:
    """A capture's place, size and time of change, as one word; of a folder, of everything in it."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        try:
            facts = file.stat()
        except FileNotFoundError:
            continue
        digest.update(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
