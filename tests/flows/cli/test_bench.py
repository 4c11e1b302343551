"""`stillsky bench`: a case is simulated, restored and set against its oracle; settings reach the solve."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import flows.benchmark
import tasks.benchmark.benchmark
from configs.load import BadConfig
from flows.cli.bench import run_cases
from flows.cli.main import main
from tasks.benchmark.benchmark import Case

QUICK = (
    "psfs.modes=28", "rounds.0.psfs.frames=16", "rounds.0.psfs.steps=60", "rounds.0.psfs.starts=1",
    "rounds.1.psfs.steps=20", "evaluate.steps=10",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_small_case(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = {"size_px": 64, "psf_px": 96, "n_subexposures": 3, "n_frames": 32, "d_over_r0": 4.0, "photons_peak": 8000.0}
    for module in (flows.benchmark, tasks.benchmark.benchmark):
        monkeypatch.setattr(module, "CASES", {"tiny": Case("planet", scene)})


def test_a_row_per_case_and_seed(tmp_path: Path) -> None:
    words = [word for setting in QUICK for word in ("--set", setting)]
    told = CliRunner().invoke(main, ["bench", "--seeds", "2", "--json", str(tmp_path / "t.json"), *words])
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "tiny, seed 0",
        "tiny, seed 1",
        "mean; sum of seconds",
        "worst: tiny",
    ]
    tree = json.loads((tmp_path / "t.json").read_text())
    first, second = tree["rows"]
    assert first["stack"] <= first["lucky"] < first["sky"] < first["oracle"]  # of few frames all may be lucky
    assert second["stack"] <= second["lucky"] < second["sky"] < second["oracle"]
    assert first["sky"] != second["sky"]
    assert 0 < tree["worst_gap"] <= tree["mean_gap"] < 1


def test_the_model_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def restore(run: object, capture: object, config: object) -> None:
        asked.append([turn.psfs.model for turn in config.rounds])  # type: ignore[attr-defined]
        raise InterruptedError

    monkeypatch.setattr(flows.benchmark, "restore_capture", restore)
    with pytest.raises(InterruptedError):
        list(run_cases(model="freeform", device="cpu"))
    assert asked == [["freeform", "freeform"]]


def test_unknown_names_are_told_before_anything_starts() -> None:
    with pytest.raises(BadConfig, match="--only mars: known are tiny"):
        list(run_cases(["mars"]))
    with pytest.raises(BadConfig, match="stepps"):
        list(run_cases(overrides=["rounds.0.psfs.stepps=3"]))
