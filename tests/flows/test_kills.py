"""A few kills of the script that makes a thousand: nothing lost, made twice, half or different."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits

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
    assert (kills, faults) == ("6", ["0"] * 4)
    assert int(skies) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["publishing", "night", "serve"])
def test_killed_in_many_moments(subject: str) -> None:
    kills, skies, *faults = _last_row("--kills", "12", "--seed", "6", "--only", subject)
    assert (kills, faults) == ("12", ["0"] * 4)
    assert int(skies) >= 1


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The script's ledger over a store with two products and a part of a journal, and over one result."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import kill_ledger

    for name in ("align/a.h5", "align/b.h5", "solve/c.parts/0.h5"):
        _write(tmp_path / "store" / name, 1)
    for folder, value in (("out", 1), ("undisturbed", 1), ("other", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "report.json").write_text('{"verdict": []}')
        fits.writeto(tmp_path / folder / "sky.fits", np.full((4, 4), value, np.float32))
    results = {tmp_path / "out": tmp_path / "undisturbed"}
    return kill_ledger.Ledger(kill_ledger.Tally(), "restore", tmp_path / "store", results)


def _write(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("sky", data=np.full(1000, value), fletcher32=True)
        file.attrs["stillsky_complete"] = True


def _break(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("kind", "harm"),
    [
        ("", lambda folder: _write(folder / "store/align/new.h5", 1)),
        ("", lambda folder: (_write(folder / "store/solve/c.h5", 1), shutil.rmtree(folder / "store/solve/c.parts"))),
        ("lost", lambda folder: (folder / "store/align/a.h5").unlink()),
        ("lost", lambda folder: shutil.rmtree(folder / "store/solve/c.parts")),
        ("redone", lambda folder: ((folder / "store/align/a.h5").unlink(), _write(folder / "store/align/a.h5", 1))),
        ("half", lambda folder: (_write(folder / "store/align/n.h5", 1), _break(folder / "store/align/n.h5"))),
        ("half", lambda folder: (folder / "out/report.html").write_text("<html>")),
        ("half", lambda folder: (folder / "out/report.json").write_text('{"a')),
    ],
)
def test_a_look_tells_what_is_wrong(ledger: Any, tmp_path: Path, kind: str, harm: Callable[[Path], Any]) -> None:
    ledger.look()
    assert not ledger.tally.faults
    harm(tmp_path)
    ledger.look()
    assert {what for _, what in ledger.tally.faults} == ({kind} if kind else set())


def test_the_end_tells_what_is_left_missing_or_different(ledger: Any, tmp_path: Path) -> None:
    _write(tmp_path / "store/solve/c.h5", 1)
    shutil.rmtree(tmp_path / "store/solve/c.parts")
    ledger.close()
    assert not ledger.tally.faults
    (tmp_path / "store/align/.a.h5.tmp").touch()
    ledger.close()
    assert dict(ledger.tally.faults) == {("restore", "half"): 1}
    (tmp_path / "other/sky.fits").replace(tmp_path / "out/sky.fits")
    ledger.close()
    assert ledger.tally.faults["restore", "changed"] == 1
    (tmp_path / "out/report.json").unlink()
    ledger.close()
    assert ledger.tally.faults["restore", "lost"] == 1
