"""What many tests need: a store of their own, and Prefect kept away from the user's home."""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.store import Store

# Before anything imports Prefect: no telemetry, no server of the user's, one thread per test process.
os.environ.pop("PREFECT_API_URL", None)
os.environ.update(DO_NOT_TRACK="1", PREFECT_SERVER_ANALYTICS_ENABLED="false")
os.environ["STILLSKY_OBSERVATORY"] = ""  # the user's own telescope is not the tests'
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in the test's own folder."""
    return Store(tmp_path / "store")


REAL_PARTS = {
    "Chromium": ("Chromium", "apt install chromium"),
    "PostgreSQL": ("PostgreSQL", "apt install postgresql"),
    "FFmpeg": ("codecs of FFmpeg", "pip install --upgrade av"),
    "mounted": ("a file system to fill", "run the tests as root where mount is allowed"),
    "at hand": (
        "captures of real telescopes",
        "tests/storage/captures/readers/test_real.py says where they are looked for",
    ),
}
"""Word in the reason of a skipped test: the part that was missing, and how to get it."""
NO_CUDA = "CUDA: no NVIDIA card, all was computed on the processor -> a machine with a card and the CUDA build of torch"


def missing_parts(reasons: list[str]) -> list[str]:
    """A line for every real part that skipped tests wanted: what it is, how many tests, how to get it."""
    wanted = Counter(next((part for word, part in REAL_PARTS.items() if word in why), (why, "")) for why in reasons)
    return [f"{name}: {count} tests not run" + (f" -> {how}" if how else "") for (name, how), count in wanted.items()]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which real parts were missing: a test that was skipped has shown nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr) for report in skipped]
    lines = missing_parts([reason.removeprefix("Skipped: ") for reason in reasons])
    if shutil.which("nvidia-smi") is None:
        lines.append(NO_CUDA)
    if lines:
        terminalreporter.section("real parts that were missing")
    for line in lines:
        terminalreporter.line(line)
