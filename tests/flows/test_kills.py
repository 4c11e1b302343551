"""A few kills of the script that makes a thousand: nothing lost, made twice, half or different."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 1800.0
"""Longest wait for the script; it only ends a hang."""


def _last_row(*words: str) -> list[str]:
    """The script's totals: kills, skies compared, then what went wrong."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "STILLSKY_"))}
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "kills.py", *words], cwd=ROOT, capture_output=True, text=True,
        env={**environment, "PYTHONPATH": str(ROOT)}, timeout=HANG_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [cell.strip(" *") for cell in done.stdout.splitlines()[-1].split("|")]
    assert cells[1] == "all", done.stdout
    return cells[3:-1]


def test_killed_in_six_steps_of_a_restore() -> None:
    kills, skies, *faults = _last_row("--kills", "6", "--seed", "5", "--captures", "1", "--only", "restore")
    assert (kills, skies, faults) == ("6", "1", ["0"] * 4)


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["publishing", "night", "serve"])
def test_killed_in_many_moments(subject: str) -> None:
    kills, skies, *faults = _last_row("--kills", "12", "--seed", "6", "--only", subject)
    assert (kills, faults) == ("12", ["0"] * 4)
    assert int(skies) >= 1
