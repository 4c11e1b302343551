"""Captures of a turning planet become one sky: by `session`, by `night`, again without work, and not where they are none."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from astropy.io import fits

from storage.results.gallery import results_below
from storage.results.published import FILES
from tasks.benchmark.simulate import simulate

BEGIN = datetime(2026, 11, 20, 22, 14)
EASY = ("night.settle_s=0.2", "night.poll_s=0.05", "night.spare_gb=0", "session.north_deg=40")
SCENE = {"n_frames": 16, "size_px": 64, "d_over_r0": 3.0, "photons_peak": 8000.0, "fps": 10.0, "rotation": True}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two captures of Jupiter, ten minutes apart, and what beside them belongs to no session."""
    folder = tmp_path_factory.mktemp("films")
    for k in range(2):
        started = BEGIN + timedelta(minutes=9 * k)
        simulate(folder / f"jupiter_{k}.ser", {**SCENE, "seed": k, "started": started.isoformat(), "north_deg": 40.0})
    for path in folder.glob("*.t*"):
        if path.suffix == ".toml" and path.stem == "jupiter_0":
            (folder / "stillsky.toml").write_text(path.read_text())
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def night_words(films: Path, out: Path, store: Path, quick: list[str]) -> list[str]:
    easy = [word for setting in EASY for word in ("--set", setting)]
    return ["night", str(films), "--out", str(out), "--store", str(store), "--device", "cpu", *quick, *easy]


def test_a_night_makes_the_session_by_itself(
    desk: Any, films: Path, store: Path, quick: list[str], tmp_path: Path
) -> None:
    words = night_words(films, tmp_path / "out", store, quick)
    assert desk.ask(*words).code == 0
    summary = json.loads((tmp_path / "out" / "night.json").read_text())
    jsonschema.validate(summary, json.loads((ROOT / "storage/results/night.schema.json").read_text()))
    (row,) = [row for row in summary["captures"] if row["capture"].endswith("_session")]
    assert row["outcome"] == "restored"
    assert row["frames"] == 32
    place = Path(row["results"])
    assert all((place / name).is_file() for name in FILES)
    report = json.loads((place / "report.json").read_text())
    assert report["capture"]["target"] == "Jupiter"
    assert report["session"]["north_deg"] == 40
    assert [part["name"] for part in report["session_parts"]] == ["jupiter_0.ser", "jupiter_1.ser"]
    assert "9 minutes" in report["verdict"][0]
    assert fits.getdata(place / "sky.fits").shape == (64, 64)
    page = (place / "report.html").read_text()
    assert "jupiter_1.ser" in page
    assert "What each capture gives" in page
    shown = {entry.name: entry for entry in results_below(tmp_path / "out")}
    assert len(shown) == 3
    again = desk.ask(*words)
    assert again.code == 0
    cached = json.loads((tmp_path / "out" / "night.json").read_text())["captures"]
    assert {row["outcome"] for row in cached} == {"cached"}


def test_a_command_makes_the_session_of_captures_that_are_named(
    desk: Any, films: Path, store: Path, quick: list[str], tmp_path: Path
) -> None:
    names = [str(films / f"jupiter_{k}.ser") for k in (1, 0)]
    told = desk.ask(
        "session", *names, "--out", str(tmp_path / "jup"), "--store", str(store), "--device", "cpu", *quick,
        "--set", "session.north_deg=40",
    )  # fmt: skip
    assert told.code == 0, told.out
    assert "One sky of Jupiter from 2 captures" in " ".join(told.out.split())
    report = json.loads((tmp_path / "jup" / "report.json").read_text())
    assert [part["name"] for part in report["session_parts"]] == ["jupiter_0.ser", "jupiter_1.ser"]
    assert (tmp_path / "jup" / "parts" / "jupiter_0_ser" / "sky.fits").is_file()


def test_captures_that_are_no_session_are_refused_in_words(desk: Any, films: Path, tmp_path: Path) -> None:
    alone = desk.ask("session", str(films / "jupiter_0.ser"), "--out", str(tmp_path / "a"))
    assert alone.code == 1
    assert "2 captures or more" in " ".join(alone.err.split())
    moon = tmp_path / "moon"
    moon.mkdir()
    for k in range(2):
        (moon / f"moon_{k}.ser").write_bytes((films / f"jupiter_{k}.ser").read_bytes())
    refused = desk.ask("session", str(moon), "--out", str(tmp_path / "b"))
    assert refused.code == 1
    assert "Moon" in refused.err
