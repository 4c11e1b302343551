"""What is printed without a terminal: the forecast, a line per step that is made, and whom a lock is waited for."""

import logging

import pytest

from flows.cli.progress import progress_bars, progress_lines
from storage.locks import tell_waiting
from tasks.running.forecast import Forecast, Size, StepForecast, StepWork

STEPS = (
    StepForecast(StepWork("ingest", "ingest", 1.0, 600, "frames"), 0.0, 1, is_done=True),
    StepForecast(StepWork("align", "align", 1.0, 600, "frames"), 10.0, 1),
    StepForecast(StepWork("publish", "publish", 1.0, 1, "set"), 2.0, 1),
)


def test_a_line_per_step_with_count_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        progress.begin(Forecast(Size(600, 1, 64, 64), STEPS))
        progress("ingest", 1, 1)
        progress("align", 300, 600)
        progress("align", 1, 1)
        progress("align", 1, 1)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "600 frames of 64 x 64: about 12 s (from one run on this machine)"
    assert len(told) == 2, "what was in the store needs no line, and a step is done once"
    assert told[1].startswith("align: 600 frames in 0.0 s; about ")
    assert told[1].endswith(" s left")


def test_a_long_step_says_how_far_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.cli.progress.LONG_STEP_S", -1.0)
    with progress_bars() as progress:
        progress.begin(Forecast(Size(600, 1, 64, 64), STEPS))
        progress("align", 1, 4)
    assert "align: 150 of 600 frames, about " in capsys.readouterr().err


def test_a_capture_with_nothing_to_do_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        progress.begin(Forecast(Size(600, 1, 64, 64), (STEPS[0], STEPS[2])))
        progress("ingest", 1, 1)
    assert capsys.readouterr().err == ""


def test_waiting_for_a_lock_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("stillsky").setLevel(logging.INFO)
    with progress_lines():
        tell_waiting("align/ab", "process 7 (align/ab), since 2026-11-25 06:00:00: stillsky night\x1b /n")
    told = capsys.readouterr().err
    assert (
        told
        == "align/ab: waiting for process 7 (align/ab), since 2026-11-25 06:00:00: stillsky night\N{REPLACEMENT CHARACTER} /n\n"
    )
