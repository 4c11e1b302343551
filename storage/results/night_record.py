"""What became of a night: night.json, written anew after every capture, and night.log, which every night goes on."""

import contextlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal

from storage.errors import StoreError
from storage.locks import NO_LINKS
from storage.results.export import save_json

Outcome = Literal["restored", "cached", "failed", "skipped", "waiting"]
"""Made now; there already; cannot be done; nothing to do; still being written."""
log = logging.getLogger("stillsky")
MAX_NAMED = 10
"""Captures that a sentence names."""


@dataclass(frozen=True)
class Row:
    """What became of one capture."""

    capture: str
    """Its folder below the folder of results."""
    path: str
    """The capture itself."""
    outcome: Outcome
    published: str | None = None
    """sky, blend or stack."""
    seconds: float = 0.0
    """What it took this night."""
    d_over_r0: float | None = None
    """Strength of the seeing, mean of the channels."""
    gain: float | None = None
    """Ratio of what stack and sky leave unexplained of the held-out frames: above one, the sky explains them better."""
    reason: str = ""
    """Why it failed or waits."""


def row_of(capture: str, path: Path, outcome: Outcome, seconds: float, report: dict[str, Any]) -> Row:
    """The row of a capture that has a report, which may be of an older version."""
    channels = report.get("channels") or []

    def mean(name: str) -> float | None:
        values = [c.get(name) for c in channels]
        return sum(values) / len(values) if values and all(isinstance(v, int | float) for v in values) else None

    stack, sky = mean("heldout_chi2_stack"), mean("heldout_chi2_sky")
    gain = stack / sky if stack is not None and sky else None
    return Row(capture, str(path), outcome, report.get("published"), round(seconds, 3), mean("d_over_r0"), gain)


def in_a_line(summary: dict[str, Any]) -> str:
    """What became of a night, for logs and states: 3 restored, 1 failed (broken_ser)."""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in summary["counts"].items()) or "no captures"
    failed = [row["capture"] for row in summary["captures"] if row["outcome"] == "failed"]
    named = ", ".join(failed[:MAX_NAMED]) + (", ..." if len(failed) > MAX_NAMED else "")
    return f"{counts} ({named})" if failed else counts


@dataclass
class NightRecord:
    """The rows so far, and where they are written."""

    folder: Path
    out: Path
    rows: dict[str, Row] = field(default_factory=dict)
    state: str = "running"
    reason: str = ""
    started: str = field(default_factory=lambda: _now())

    @property
    def file(self) -> Path:
        """The machine-readable summary."""
        return self.out / "night.json"

    @property
    def summary(self) -> dict[str, Any]:
        """What night.json says."""
        return {
            "folder": str(self.folder),
            "out": str(self.out),
            "software": f"stillsky {version('stillsky')}",
            "state": self.state,
            "reason": self.reason,
            "started": self.started,
            "written": _now(),
            "counts": dict(Counter(row.outcome for row in self.rows.values())),
            "captures": [asdict(row) for row in self.rows.values()],
        }

    def add(self, row: Row) -> None:
        """Note what became of a capture; a row that is there already gives way."""
        self.rows[row.capture] = row
        reason = f": {row.reason}" if row.reason else ""
        log.info("%s %s in %.1f s%s", row.capture, row.outcome, row.seconds, reason)
        self.write()

    def end(self, state: str, reason: str = "") -> None:
        """How the night as a whole ended: done, failed or stopped."""
        self.state, self.reason = state, reason
        log.info("night %s: %s", state, reason or json.dumps(self.summary["counts"]))
        self.write()

    def write(self) -> None:
        """Write night.json whole or not at all; a disk that refuses it does not end the night."""
        try:
            save_json(self.file, self.summary)
        except StoreError as error:
            log.warning("%s", error)

    @contextlib.contextmanager
    def logged(self) -> Iterator[None]:
        """Append what stillsky logs inside the block to night.log."""
        self.out.mkdir(parents=True, exist_ok=True)
        handler = _Lines(self.out / "night.log", encoding="utf-8", errors="backslashreplace", delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(min(log.level or logging.INFO, logging.INFO))
        try:
            yield
        finally:
            log.removeHandler(handler)
            handler.close()


class _Lines(logging.FileHandler):
    """A log file with one line for one message, whatever names it contains; a full disk loses lines, not the night."""

    def format(self, record: logging.LogRecord) -> str:
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, the name is logging's
        pass

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # of opening it
            super().emit(record)

    def _open(self) -> TextIOWrapper:
        """Neither a link in the file's place is followed nor a pipe waited for."""
        path = Path(self.baseFilename)
        if path.is_symlink():
            path.unlink()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_LINKS | getattr(os, "O_NONBLOCK", 0)
        return os.fdopen(os.open(path, flags, 0o666), "a", encoding=self.encoding, errors=self.errors)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
