"""night.json is always whole and readable, night.log has one line for one message; a full disk ends no night."""

import json
import logging
import os
from pathlib import Path

import pytest

from storage.errors import StoreError
from storage.results.night_record import NightRecord, Row, row_of

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
    NightRecord(tmp_path, tmp_path).end("done")


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
