"""Studies: every cell is done, failed or pending, and says so."""

from pathlib import Path

import pytest

from flows.cli.study import lines
from flows.study import run_study
from storage.errors import Hopeless
from storage.store import Store
from tasks.learning import study
from tasks.learning.study import STUDIES, table, variants
from tasks.running.step import make_simply


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    def cell(variant: study.Variant) -> dict[str, float]:
        if variant.choices["size"] == 2:
            raise RuntimeError("out of memory")
        return {"db": 30.0 + variant.choices["size"]}

    monkeypatch.setitem(STUDIES, "burst", (cell, lambda: [{"size": size} for size in range(4)], 5))


def test_a_half_run_study_says_so_on_top(toy: None, tmp_path: Path) -> None:
    rows, missing = table(Store(tmp_path), variants("burst"), {})
    assert missing == 4
    assert lines(rows, missing)[0] == "4 of 4 cells are not done"
    assert all(row["state"] == "pending" for row in rows)


def test_a_cell_that_fails_is_named_and_the_others_are_done(toy: None, tmp_path: Path) -> None:
    done = run_study("burst", None, Store(tmp_path), make_simply)
    assert done["open"] == 1
    assert [row["state"] for row in done["rows"]] == ["done", "done", "failed: RuntimeError: out of memory", "done"]
    assert "?" not in "\n".join(lines(done["rows"], 1))


def test_a_training_that_ends_in_nan_has_failed_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []

    def cell(variant: study.Variant) -> dict[str, float]:
        trained.append(variant.choices["size"])
        return {"before_db": 20.0, "db": float("nan") if variant.choices["size"] else 30.0}

    monkeypatch.setitem(STUDIES, "burst", (cell, lambda: [{"size": size} for size in range(2)], 5))
    for _ in range(2):
        done = run_study("burst", None, Store(tmp_path), make_simply)
        assert [row["state"] for row in done["rows"]] == ["done", "failed: db is no number"]
        assert "nan" not in "\n".join(lines(done["rows"], done["open"]))
    assert (done["open"], trained) == (1, [0, 1])


def test_cells_that_are_done_are_not_trained_again(toy: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_study("burst", None, Store(tmp_path), make_simply)
    entry = STUDIES["burst"]
    monkeypatch.setitem(STUDIES, "burst", (lambda variant: {"db": -1.0}, *entry[1:]))
    assert [row.get("db") for row in run_study("burst", None, Store(tmp_path), make_simply)["rows"]] == [30, 31, -1, 33]


def test_the_grids_are_those_of_the_notebooks() -> None:
    burst, surgery = variants("burst"), variants("surgery")
    assert len(burst) == 14
    assert {v.choices["size_px"] for v in burst} == {16, 32}
    assert {v.choices["rate"] for v in surgery} == {0.101, 0.05, 0.005}
    assert [v.choices["clip"] for v in surgery].count("none") == 1, "clipped by value, as the notebook had it"
    assert {v.choices["policy"] for v in surgery} == {"last", "first+last", "first+second+last", "all"}


def test_an_unknown_study_is_named() -> None:
    with pytest.raises(Hopeless, match=r"'colour'; known: burst, surgery, dewarp"):
        variants("colour")
