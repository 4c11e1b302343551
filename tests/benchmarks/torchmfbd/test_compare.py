"""The comparison with torchmfbd runs from capture to table; a stand-in takes the place of torchmfbd."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.torchmfbd import compare
from tasks.benchmark.simulate import simulate

STAND_IN = '''
class Deconvolution:
    """Gives the mean of its frames: what torchmfbd's interface needs, and no more."""

    total_time_convergence = 0.5

    def __init__(self, config):
        assert config["object1"]["cutoff"] == [0.8, 0.85]
        assert config["optimization"]["loss_type"] == "marginal"
        self.size = config["images"]["n_pixel"]

    def add_frames(self, frames, id_object, id_diversity, diversity):
        assert frames.shape == (1, 8, self.size, self.size)
        self.obj = self.obj_diffraction = [frames.mean(1)]

    def deconvolve(self, n_iterations, **settings):
        assert n_iterations == 2
'''


def _once(solve: Callable[..., Any]) -> Callable[..., Any]:
    """The solver, run in one process only: its answer is given again whatever is asked after the first time."""
    answers: list[Any] = []

    def first_answer(*given: Any, **named: Any) -> Any:
        if not answers:
            answers.append(solve(*given, **named))
        return answers[0]

    return first_answer


def test_a_capture_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "planet.ser"
    simulate(film, {"n_frames": 12, "size_px": 64, "photons_peak": 8000.0, "fps": 20.0, "seed": 3})
    (tmp_path / "torchmfbd.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(compare, "theirs", _once(compare.theirs))
    monkeypatch.setattr(compare, "ours", _once(compare.ours))
    theirs = ["--theirs", sys.executable, "--loss", "marginal", "--theirs-set", "object1.cutoff=[0.8, 0.85]"]
    ours = ["--our-steps", "40", "--budgets", "30", "--set", "psfs.modes=28"]
    words = [str(film), "--frames", "8", "--repeats", "1", *theirs, *ours]
    monkeypatch.setattr(sys, "argv", ["compare.py", *words])
    compare.main()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()[2:5]]
    assert [row[:3] for row in rows] == [
        ["planet", "torchmfbd", "300"], ["planet", "stillsky", "40"], ["planet", "stillsky, same dB", "30"],
    ]  # fmt: skip
    stack_db, solved_db, _ = (float(row[3]) for row in rows)
    assert solved_db > stack_db + 2
    assert all(float(row[6]) > 0 for row in rows), "time of whole processes"
