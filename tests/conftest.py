"""What many tests need: a store of their own, and Prefect kept away from the user's home."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from storage.store import Store

# Before anything imports Prefect: no telemetry, no server of the user's, one thread per test process.
os.environ.pop("PREFECT_API_URL", None)
os.environ.update(DO_NOT_TRACK="1", PREFECT_SERVER_ANALYTICS_ENABLED="false")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in the test's own folder."""
    return Store(tmp_path / "store")


REAL_PARTS = {
    "Chromium": "apt install chromium",
    "PostgreSQL": "apt install postgresql",
    "FFmpeg": "a PyAV whose FFmpeg has this codec: pip install --upgrade av",
    "CUDA": "a machine with an NVIDIA card and the CUDA build of torch",
    "mounted": "run the tests as root where mount is allowed",
    "at hand": "captures of real telescopes: the test's own file says where they are looked for",
}
"""Word in the reason of a skipped test: how to get the part that was missing."""


def missing_parts(reasons: list[str]) -> list[str]:
    """A line for every real part that skipped tests wanted: what it is, how many tests, how to get it."""
    lines = []
    for reason in dict.fromkeys(reasons):
        remedy = next((how for word, how in REAL_PARTS.items() if word.lower() in reason.lower()), "")
        count = reasons.count(reason)
        tests = f"{count} test{'s' if count > 1 else ''}"
        lines.append(f"{tests} not run: {reason}" + (f" -> {remedy}" if remedy and remedy not in reason else ""))
    return lines


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which real parts were missing: a test that was skipped has shown nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr) for report in skipped]
    lines = missing_parts([reason.removeprefix("Skipped: ") for reason in reasons])
    if shutil.which("nvidia-smi") is None:
        lines.append(f"CUDA: no NVIDIA card, so all was computed on the processor -> {REAL_PARTS['CUDA']}")
    if lines:
        terminalreporter.section("real parts that were missing")
    for line in lines:
        terminalreporter.line(line)
