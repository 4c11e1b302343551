"""A few hundred seeded bad inputs go the way of a night: each ends in a result or in words, none in a fault."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COUNT = 240


def test_bad_inputs_end_in_words() -> None:
    memory = Path("/dev/shm")
    place = {"TMPDIR": str(memory)} if memory.is_dir() and os.access(memory, os.W_OK) else {}
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "bad_inputs.py", "--count", str(COUNT), "--seed", "11"],
        cwd=ROOT, env={**os.environ, **place, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNT} bad inputs" in done.stdout
    assert "0 tracebacks, 0 hangs, 0 with memory outgrown, 0 died" in done.stdout
