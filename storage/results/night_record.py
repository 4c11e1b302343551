"""What became of a night: night.json, written anew after every capture, and night.log, which every night goes on."""

import contextlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal

from storage.errors import StoreError
from storage.locks import NO_LINKS
from storage.results.export import save_json

Outcome = Literal["restored", "cached", "failed", "skipped", "waiting", "preview"]
"""Made now; there already; cannot be done; nothing to do; still being written; no time for more than a preview."""
History = Literal[
    "first try", "recovered", "failed for good", "failed, tried again next time", "done before", "not tried"
]
"""Made without a failure; made after failures; a fault of the capture itself; a fault that may pass; nothing had to be done;
it waits or was skipped."""
FIGURES = {
    "seconds": ("measured", "s", "wall time of this capture in this night"),
    "d_over_r0": (
        "fitted",
        "",
        "telescope's diameter over Fried's parameter at the capture's wavelength, mean of the channels",
    ),
    "gain": ("measured", "", "what the stack leaves unexplained of held-out frames over what the sky leaves; a ratio"),
    "frames": ("counted", "frames", "in the capture"),
    "frames_used": ("counted", "frames", "not left out, held-out ones included"),
    "frames_missing": (
        "counted",
        "frames",
        "promised by the header or shown missing by timestamps; null: cannot be known",
    ),
}
"""Figure of a row: kind, unit, and what it is."""
COLUMNS = ("capture", "outcome", "published", "seconds", "d_over_r0", "gain", "reason")
"""What of a row stands in tables for people."""
MAX_PREVIOUS_BYTES = 100_000_000
"""A summary of an earlier night has at most some ten megabytes."""
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
    """sky, blend, stack or preview."""
    seconds: float = 0.0
    """What it took this night."""
    d_over_r0: float | None = None
    """Strength of the seeing, mean of the channels."""
    gain: float | None = None
    """Ratio of what stack and sky leave unexplained of the held-out frames: above one, the sky explains them better."""
    reason: str = ""
    """Why it failed or waits."""
    history: History = "not tried"
    """How it came to this."""
    recovered_from: str = ""
    """Why it failed before it succeeded."""
    results: str | None = None
    """Folder of its results."""
    sky: str | None = None
    """Path of sky.fits."""
    report: str | None = None
    """Path of report.html."""
    frames: int | None = None
    """Frames in the capture."""
    frames_used: int | None = None
    """Those that were not left out."""
    frames_missing: int | None = None
    """Frames that the capture promises or its timestamps show, and that are not in it."""


def row_of(capture: str, path: Path, outcome: Outcome, seconds: float, report: dict[str, Any]) -> Row:
    """The row of a capture that has a report, which may be of an older version."""
    channels = report.get("channels") or []

    def mean(name: str) -> float | None:
        values = [c.get(name) for c in channels]
        return sum(values) / len(values) if values and all(isinstance(v, int | float) for v in values) else None

    stack, sky = mean("heldout_chi2_stack"), mean("heldout_chi2_sky")
    gain = stack / sky if stack is not None and sky else None
    retried = report.get("retried") or {}
    known = report.get("capture") or {}
    return Row(
        capture, str(path), outcome, report.get("published"), round(seconds, 3), mean("d_over_r0"), gain,
        history="done before" if outcome == "cached" else "recovered" if retried else "first try",
        recovered_from="; ".join(f"{step} was tried {count} times" for step, count in retried.items()),
        frames=_count(known.get("frames")),
        frames_used=_count((report.get("frames") or {}).get("used")),
        frames_missing=_missing(known),
    )  # fmt: skip


def row_without_result(
    capture: str, path: Path, outcome: Outcome, reason: str, seconds: float, will_be_tried_again: bool
) -> Row:
    """The row of a capture, or of a sky made of several, that has no result, and why."""
    failed: History = "failed, tried again next time" if will_be_tried_again else "failed for good"
    history: History = failed if outcome == "failed" else "not tried"
    return Row(capture, str(path), outcome, None, round(seconds, 3), reason=reason, history=history)


def _missing(capture: dict[str, Any]) -> int | None:
    """Promised by the header and not there, or dropped while recording; None where neither can be known."""
    facts = capture.get("facts") or {}
    promised, dropped = facts.get("truncated"), _count(capture.get("dropped_frames"))
    if promised is None and dropped is None:
        return None
    return (int(str(promised)) if str(promised).isdecimal() else 0) + (dropped or 0)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


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
    failed_before: dict[str, str] = field(init=False)
    """Captures that the last summary in this folder has as failed, and why."""

    def __post_init__(self) -> None:
        self.failed_before = _failures(self.file)

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
            "histories": dict(Counter(row.history for row in self.rows.values())),
            "figures": {
                name: dict(zip(("kind", "unit", "meaning"), each, strict=True)) for name, each in FIGURES.items()
            },
            "captures": [asdict(row) for row in self.rows.values()],
        }

    def add(self, row: Row) -> None:
        """Note what became of a capture; a row that is there already gives way."""
        row = self._completed(row)
        self.rows[row.capture] = row
        reason = f": {row.reason}" if row.reason else ""
        log.info("%s %s in %.1f s%s", row.capture, row.outcome, row.seconds, reason)
        self.write()

    def _completed(self, row: Row) -> Row:
        """The row with where its results are, and with why it failed in an earlier night."""
        if row.published is not None:
            place = self.out / row.capture
            row = replace(row, results=str(place), sky=str(place / "sky.fits"), report=str(place / "report.html"))
        if row.outcome == "restored" and row.capture in self.failed_before:
            row = replace(row, history="recovered", recovered_from=self.failed_before[row.capture])
        return row

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


def _failures(file: Path) -> dict[str, str]:
    """Captures that a summary, whatever it holds, has as failed: the reason."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_PREVIOUS_BYTES:
            return {}
        rows = json.loads(file.read_text(encoding="utf-8"))["captures"]
        failed = [row for row in rows if row["outcome"] == "failed"]
        return {str(row["capture"]): str(row["reason"]) for row in failed}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


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
