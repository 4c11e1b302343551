"""The table of what steps took: lines of one machine, whatever else stands in the file, and never too long."""

from pathlib import Path

import pytest

from storage.costs import FILE, MAX_BYTES, Cost, costs_of, machine_name, note_cost


def test_lines_are_kept_per_machine(tmp_path: Path) -> None:
    ours, theirs = Cost("a cpu", "align", 100.0, 2.0), Cost("b cpu", "align", 100.0, 9.0)
    for cost in (ours, theirs, ours):
        note_cost(tmp_path, cost)
    assert costs_of(tmp_path, "a cpu") == [ours, ours]
    assert costs_of(tmp_path, "c cpu") == []


def test_a_damaged_line_counts_as_not_written(tmp_path: Path) -> None:
    good = Cost("a", "align", 1.0, 1.0)
    note_cost(tmp_path, good)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"machine": "a"}\n[1]\n\xff\xfe\n{"half": \n')
    note_cost(tmp_path, Cost("a", "align", 0.0, 1.0))
    note_cost(tmp_path, good)
    assert costs_of(tmp_path, "a") == [good, good]


def test_the_table_does_not_grow_without_end(tmp_path: Path) -> None:
    line = b'{"machine": "a", "kind": "old", "amount": 1.0, "seconds": 1.0}\n'
    (tmp_path / FILE).write_bytes(line * (MAX_BYTES // len(line) + 1))
    newest = Cost("a", "new", 1.0, 1.0)
    note_cost(tmp_path, newest)
    assert (tmp_path / FILE).stat().st_size < 0.6 * MAX_BYTES
    assert costs_of(tmp_path, "a")[-1] == newest


def test_a_folder_that_takes_no_line_stops_nobody(tmp_path: Path) -> None:
    note_cost(tmp_path / "missing", Cost("a", "align", 1.0, 1.0))
    (tmp_path / FILE).mkdir()
    note_cost(tmp_path, Cost("a", "align", 1.0, 1.0))
    assert costs_of(tmp_path, "a") == []


def test_threads_and_device_are_part_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = machine_name("cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert len({one, machine_name("cpu"), machine_name("cuda"), machine_name("cpu", cluster=True)}) == 4
