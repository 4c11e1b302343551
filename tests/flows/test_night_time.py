"""What a night does with its time: shares in proportion, the next 08:00, and captures that stay previews."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from configs.request import CaptureRequest
from flows import night_time
from flows.night_time import few_frames, next_at, out_of_time, share_of_time, sum_told
from storage.captures.readers.ser import write_ser
from storage.costs import Cost, machine_name, note_cost
from storage.errors import StoreError
from storage.store import Store


def test_what_fits_takes_its_time_and_else_everyone_a_share() -> None:
    forecasts = {"a": 100.0, "b": 300.0}
    assert share_of_time(400.0, forecasts, "a") is None
    assert share_of_time(200.0, forecasts, "a") == 50.0
    assert share_of_time(-5.0, forecasts, "b") == 0.0


def test_the_next_time_of_the_clock_is_ahead_by_a_day_at_most() -> None:
    now = datetime.now()
    assert 0 <= next_at(now.time()) - now.timestamp() + 1 <= 86_402


def test_out_of_time_names_a_preview_or_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = CaptureRequest(capture=tmp_path / "a.ser", out=tmp_path)
    assert out_of_time("a", request, 600.0, 120.0).outcome == "waiting"
    monkeypatch.setattr(night_time, "published", lambda out: {"published": "preview", "channels": []})
    row = out_of_time("a", request, 600.0, 120.0)
    assert (row.outcome, row.published) == ("preview", "preview")
    assert row.reason == "the shortest run takes about 10 min; 2 min until the night is to be over"


def test_the_sum_of_a_night_is_told_from_headers_alone(tmp_path: Path) -> None:
    """A capture that cannot be read adds nothing; a second one doubles the time."""
    for name in ("a", "b"):
        frames = np.zeros((40, 64, 64), np.uint8)
        write_ser(tmp_path / f"{name}.ser", frames, 8)
    (tmp_path / "torn.ser").write_bytes(b"LUCAM-RECORDER")
    store = Store(tmp_path / "store")
    note_cost(store.root, Cost(machine_name("cpu"), "ingest", 40 * 64 * 64, 3600.0))

    def request_for(name: str) -> CaptureRequest:
        if name == "hostile":
            raise StoreError("its settings are refused")
        return CaptureRequest(capture=tmp_path / f"{name}.ser", device="cpu")

    assert sum_told(store, ["a"], request_for).startswith("1 captures to do, about 60 min together")
    assert sum_told(store, ["a", "hostile", "torn", "b"], request_for).startswith("4 captures to do, about 2 h 0")


def test_few_frames_are_named() -> None:
    assert few_frames({"solved_frames": 64, "frame_curve": [{"frames": 64}, {"frames": 900}]}) == (
        "the 64 luckiest of 900 frames"
    )
    assert few_frames({"solved_frames": 900, "frame_curve": [{"frames": 900}]}) == ""
