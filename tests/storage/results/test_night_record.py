"""night.json is always whole and readable, night.log has one line for one message; a full disk ends no night."""

import json
import logging
import os
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from storage.errors import StoreError
from storage.results import night_record
from storage.results.night_record import NightRecord, Row, in_a_line, row_of

CHANNEL = {"heldout_chi2_stack": 3.0, "heldout_chi2_sky": 1.5, "d_over_r0": 4.0}


def test_a_row_tells_what_was_found() -> None:
    row = row_of("a", Path("/n/a.ser"), "restored", 1.23456, {"published": "sky", "channels": [CHANNEL, CHANNEL]})
    assert (row.published, row.seconds, row.d_over_r0, row.gain) == ("sky", 1.235, 4.0, 2.0)


@pytest.mark.parametrize("report", [{}, {"channels": []}, {"channels": [{}]}, {"channels": [{"d_over_r0": "x"}]}])
def test_an_older_report_leaves_gaps(report: dict[str, object]) -> None:
    row = row_of("a", Path("a"), "cached", 0, report)
    assert (row.d_over_r0, row.gain) == (None, None)


def test_the_summary_is_written_after_every_capture(tmp_path: Path) -> None:
    record = NightRecord(tmp_path, tmp_path / "out")
    with record.logged():
        record.add(Row("a", "/n/a", "waiting"))
        assert json.loads(record.file.read_text())["state"] == "running"
        record.add(Row("b", "/n/b", "failed", reason="no light"))
        record.add(Row("a", "/n/a", "restored"))
        record.end("done")
    found = json.loads(record.file.read_text())
    assert found["counts"] == {"restored": 1, "failed": 1}
    assert [row["capture"] for row in found["captures"]] == ["a", "b"]
    assert found["state"] == "done"


def test_one_line_for_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("stillsky"), "propagate", False)  # pytest could not print what it captures
    record = NightRecord(tmp_path, tmp_path)
    with record.logged():
        logging.getLogger("stillsky").info("%s", "a\nb\x1b[31m\udcff")
    [line] = (tmp_path / "night.log").read_text().splitlines()
    assert line.endswith(r"INFO a\nb\x1b[31m\udcff")
    logging.getLogger("stillsky").info("not of this night")
    assert len((tmp_path / "night.log").read_text().splitlines()) == 1


def test_a_disk_that_refuses_the_summary_ends_no_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("full")

    monkeypatch.setattr("storage.results.night_record.save_json", refuse)
    record = NightRecord(tmp_path, tmp_path)
    record.end("done")
    assert record.summary["state"] == "done"
    assert not (tmp_path / "night.json").exists()


def test_no_output_of_a_night_follows_a_link(tmp_path: Path) -> None:
    """Somebody else who fills the folder of results cannot choose what is written to."""
    precious, out = tmp_path / "precious", tmp_path / "out"
    precious.write_text("mine")
    out.mkdir()
    for name in ("night.log", "night.json"):
        (out / name).symlink_to(precious)
    record = NightRecord(tmp_path, out)
    with record.logged():
        record.add(Row("a", "/n/a", "waiting"))
    assert precious.read_text() == "mine"
    assert not (out / "night.log").is_symlink()
    assert "a waiting" in (out / "night.log").read_text()
    assert json.loads((out / "night.json").read_text())["counts"] == {"waiting": 1}


def test_a_pipe_in_place_of_the_log_stops_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "night.log")
    record = NightRecord(tmp_path, tmp_path)
    with record.logged():
        record.add(Row("a", "/n/a", "waiting"))
    assert json.loads(record.file.read_text())["counts"] == {"waiting": 1}


SCHEMA = json.loads((Path(night_record.__file__).parent / "night.schema.json").read_text())
OLD = {
    "folder": "/n", "out": "/n/restored", "software": "stillsky 0.2.0", "state": "done", "reason": "",
    "started": "2026-11-20T08:00:00+01:00", "written": "2026-11-20T09:00:00+01:00", "counts": {"restored": 1},
    "captures": [{
        "capture": "a", "path": "/n/a.ser", "outcome": "restored", "published": "sky", "seconds": 2.0,
        "d_over_r0": 4.0, "gain": None, "reason": "",
    }],
}  # fmt: skip
"""A summary as version 0.2 wrote it."""


def test_the_summary_fits_its_schema_and_so_does_the_older_form(tmp_path: Path) -> None:
    record = NightRecord(tmp_path, tmp_path / "out")
    report = {"published": "sky", "channels": [CHANNEL], "capture": {"frames": 9}, "frames": {"used": 8}}
    record.add(row_of("a", Path("/n/a.ser"), "restored", 1.0, report))
    record.add(Row("b", "/n/b.ser", "failed", reason="no light", history="failed for good"))
    record.end("done")
    for summary in (json.loads(record.file.read_text()), OLD):
        jsonschema.validate(summary, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**OLD, "state": "odd"}, SCHEMA)


def test_the_schema_names_every_field(tmp_path: Path) -> None:
    record = NightRecord(tmp_path, tmp_path)
    assert set(SCHEMA["properties"]) == set(record.summary)
    rows = SCHEMA["properties"]["captures"]["items"]["properties"]
    assert set(rows) == {each.name for each in fields(Row)}
    numbers = {name for name, rule in rows.items() if {"number", "integer"} & set(rule.get("type", ()))} | {"seconds"}
    assert set(record.summary["figures"]) == numbers


def test_results_are_named_by_their_paths(tmp_path: Path) -> None:
    record = NightRecord(tmp_path, tmp_path)
    record.add(Row("x/a_ser", "/n/a.ser", "restored", "sky"))
    record.add(Row("b_ser", "/n/b.ser", "failed"))
    done, failed = record.summary["captures"]
    assert (done["results"], done["sky"]) == (str(tmp_path / "x/a_ser"), str(tmp_path / "x/a_ser/sky.fits"))
    assert (failed["results"], failed["report"]) == (None, None)


def test_first_try_recovered_and_failed_are_told_apart(tmp_path: Path) -> None:
    first = NightRecord(tmp_path, tmp_path)
    first.add(Row("a", "/n/a", "failed", reason="the disk is full", history="failed, tried again next time"))
    first.end("done")
    again = NightRecord(tmp_path, tmp_path)
    report = {"published": "sky", "channels": []}
    again.add(row_of("a", Path("/n/a"), "restored", 1, report))
    again.add(row_of("b", Path("/n/b"), "restored", 1, {**report, "retried": {"ingest": 2}}))
    again.add(row_of("c", Path("/n/c"), "restored", 1, report))
    again.add(row_of("d", Path("/n/d"), "cached", 0, report))
    rows = [(row["history"], row["recovered_from"]) for row in again.summary["captures"]]
    assert rows == [
        ("recovered", "the disk is full"), ("recovered", "ingest was tried 2 times"), ("first try", ""), ("done before", ""),
    ]  # fmt: skip
    assert again.summary["histories"] == {"recovered": 2, "first try": 1, "done before": 1}


@pytest.mark.parametrize("text", ["", "[]", '{"captures": [1]}', '{"captures": [{"outcome": "failed"}]}', "[" * 99999])
def test_an_older_summary_that_cannot_be_read_tells_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "night.json").write_text(text)
    assert NightRecord(tmp_path, tmp_path).failed_before == {}


@pytest.mark.parametrize(
    ("capture", "missing"),
    [({"facts": {"truncated": "7"}, "dropped_frames": 2}, 9), ({"facts": {}}, None), ({"dropped_frames": 0}, 0)],
)
def test_missing_frames(capture: dict[str, object], missing: int | None) -> None:
    assert row_of("a", Path("a"), "restored", 1, {"capture": capture}).frames_missing == missing


def test_in_a_line(tmp_path: Path) -> None:
    record = NightRecord(tmp_path, tmp_path)
    assert in_a_line(record.summary) == "no captures"
    record.add(Row("a", "/n/a", "restored", "sky"))
    record.add(Row("b_ser", "/n/b", "failed"))
    assert in_a_line(record.summary) == "1 restored, 1 failed (b_ser)"
