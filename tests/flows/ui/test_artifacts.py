"""What the Prefect UI is told of a run, as its database holds it and as a browser shows it."""

import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from configs.load import load_config
from configs.request import printable
from flows.ui import artifacts as ui
from storage.captures.capture import Capture
from storage.results.export import THUMB_BYTES
from tests.flows.ui.conftest import NAME, Runs


def _image(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened)


def test_every_round_shows_its_sky_and_its_figures(runs: Runs) -> None:
    rounds = [a for a in runs.told[0] if "-round-" in a.key and a.type == "markdown"]
    assert [(a.key[-8:], a.task) for a in rounds] == [
        ("-round-1", "solve sky round 1"),
        ("-round-2", "solve sky round 2"),
    ]
    for number, artifact in enumerate(rounds, start=1):
        (png,) = artifact.pictures
        assert _image(png).std() > 20, "a planet is no even grey"
        assert len(png) <= THUMB_BYTES
        rows = [line for line in artifact.data.splitlines() if line.startswith("| ")]
        assert rows[0].startswith("| round | frames |")
        assert rows[0].endswith("| D/r0 | seconds |")
        assert len(rows) == 2 + number


def test_the_end_shows_before_and_after_in_one_scale(runs: Runs) -> None:
    result = runs.told[0][-1]
    assert result.key.endswith("-result")
    before, after = (_image(png) for png in result.pictures)
    assert before.shape == after.shape
    assert after.max() > before.max(), "the same white: the sharper one is brighter at its peak"
    assert "The sky is published" in result.data
    assert "| left unexplained by the sky, × noise |" in result.data
    assert "| resolved detail, arcsec |" in result.data
    assert "| against the truth | PSNR, dB |" in result.data
    assert f"The whole report: `` {runs.home.parent}/out `1`/report.html ``" in result.data


def test_bars_of_steps_belong_to_them_and_end_full(runs: Runs) -> None:
    bars = [a for a in runs.told[0] if a.type == "progress"]
    assert {a.task for a in bars} >= {"align", "measure seeing", "solve psfs round 2"}
    for bar in bars:
        assert bar.data == 100
        assert re.fullmatch(rf"{bar.task}: done in \d+\.\d s", bar.description)
        assert bar.key.endswith(ui.slug(bar.task))


def test_keys_are_those_of_the_capture(runs: Runs) -> None:
    keys = [a.key for a in runs.told[0]]
    assert all(re.fullmatch(r"a-img-src-x-onerror-document-title-owned-[0-9a-f]{8}-[a-z0-9-]+", k) for k in keys)
    assert len(set(keys)) == len(keys)
    assert runs.names == [f"{printable(NAME)}, {runs.home.parent.name}"] * 3


def test_a_run_with_nothing_to_do_tells_only_its_end(runs: Runs) -> None:
    assert [(a.key[-7:], a.data) for a in runs.told[1]] == [("-result", runs.told[0][-1].data)]


def test_no_run_fails_when_the_ui_is_not_reached(runs: Runs) -> None:
    assert runs.states == ["Completed"] * 3
    assert runs.told[2] == []
    assert runs.logs[2].count("the UI misses pictures and progress of this run") == 1, "told once, not at every step"
    assert not any("the UI misses" in log for log in runs.logs[:2])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Artifacts whose clock is moved by hand and whose bar is written down."""
    now = SimpleNamespace(s=100.0, bars=[])
    monkeypatch.setattr(ui.time, "monotonic", lambda: now.s)
    capture = Capture(Path("a.ser"), "0123456789")
    now.artifacts = ui.RunArtifacts(capture, load_config(None))
    monkeypatch.setattr(now.artifacts, "_update_bar", lambda bar, percent, words: now.bars.append((percent, words)))
    now.artifacts.bar = ui.ProgressBar("a", now.s)
    return now


def test_bars_only_for_what_takes_long_and_not_too_often(told: SimpleNamespace) -> None:
    for done in range(101):
        told.artifacts.update_progress("align", done, 100)
        told.s += 0.125
    assert [percent for percent, _ in told.bars] == [24, 40, 56, 72, 88]
    assert told.bars[0][1] == "align: 24 of 100, 8.0/s, 0:00:10 left"


def test_no_bar_where_the_end_is_not_known(told: SimpleNamespace) -> None:
    told.s += 60
    told.artifacts.update_progress("ingest", 500, 0)
    assert told.bars == []


# ---- in a browser
