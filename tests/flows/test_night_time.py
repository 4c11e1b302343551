"""What a night does with its time: shares in proportion, the next 08:00, and captures that stay previews."""

from datetime import datetime
from pathlib import Path

import pytest

from configs.request import CaptureRequest
from flows import night_time
from flows.night_time import few_frames, next_at, out_of_time, share_of_time


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


def test_few_frames_are_named() -> None:
    assert few_frames({"solved_frames": 64, "frame_curve": [{"frames": 64}, {"frames": 900}]}) == (
        "the 64 luckiest of 900 frames"
    )
    assert few_frames({"solved_frames": 900, "frame_curve": [{"frames": 900}]}) == ""
