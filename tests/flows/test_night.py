"""`stillsky night` as a user runs it: one broken capture sinks nobody, the same command again does only what is missing."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.captures.night import night_at
from storage.results.published import ENHANCED, FILES, UNBELIEVED

Copy = Callable[..., Path]
EASY = ("night.settle_s=0.2", "night.poll_s=0.05", "night.spare_gb=0")


@pytest.fixture
def folder(copy: Copy, tmp_path: Path) -> Path:
    """A night of two good captures in different folders and a broken one."""
    night = tmp_path / "night"
    (night / "deep").mkdir(parents=True)
    copy(night / "jupiter.ser", 0)
    copy(night / "deep" / "jupiter.ser", 1)
    (night / "broken.ser").write_bytes(b"no capture")
    return night


@pytest.fixture
def words(tmp_path: Path, quick: list[str]) -> list[str]:
    """A night's options that make it quick."""
    easy = [word for setting in EASY for word in ("--set", setting)]
    return ["--store", str(tmp_path / "store"), "--device", "cpu", *quick, *easy]


def made(store: Path) -> dict[str, int]:
    found = (p for p in store.glob("*/*.h5") if not p.name.startswith("."))
    return {str(p.relative_to(store)): p.stat().st_mtime_ns for p in found}


def written(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.fits")}


def outcomes(folder: Path) -> dict[str, str]:
    summary = json.loads((folder / "restored" / "night.json").read_text())
    return {row["capture"]: row["outcome"] for row in summary["captures"]}


def check_tried_again(desk: Any, folder: Path, said: str, words: list[str]) -> None:
    """A capture that failed is tried again where that is asked for, and under other settings."""
    assert "failed before, unchanged: " in said
    assert "not a SER capture" in said

    assert desk.ask("night", folder, *words, "--retry-failed").code == 1
    assert desk.last_run().name == "broken.ser, night"
    assert desk.ask("night", folder, *words, "--set", "timeouts.ingest_s=999").code == 1
    assert [run for run in desk.runs()[-4:] if run.name == "broken.ser, night"], (
        "other settings are worth another attempt"
    )


def check_made_again(desk: Any, folder: Path, tmp_path: Path, words: list[str]) -> None:
    """Files that are missing are published again, of products that are there; no other product is made."""
    store, out = tmp_path / "store", folder / "restored"
    for name in ("sky.png", "report.json"):
        (out / "new_ser" / name).unlink()
        before = made(store)
        assert desk.ask("night", folder, *words).code == 0
        assert (out / "new_ser" / name).exists(), "what is missing is published again"
        assert made(store) == before
    shutil.rmtree(store / "evaluate")
    before = made(store)
    assert desk.ask("night", folder, *words).code == 0
    assert made(store) == before, "the results are there; nobody needs the product"
    (out / "new_ser" / "sky.fits").unlink()
    assert desk.ask("night", folder, *words).code == 0
    assert len(set(made(store)) - set(before)) == 1, "only what the missing result needs is made again"


def test_a_night(desk: Any, folder: Path, copy: Copy, tmp_path: Path, words: list[str]) -> None:
    out, store = folder / "restored", tmp_path / "store"
    first = desk.ask("night", folder, *words)
    assert first.code == 1, "one failed"
    assert "jupiter_ser restored" in first.err, "a line per capture without a terminal, too"
    assert outcomes(folder) == {"jupiter_ser": "restored", "deep/jupiter_ser": "restored", "broken_ser": "failed"}
    assert "2 restored, 1 failed" in first.out
    assert "not a SER capture" in first.out
    assert {p.name for p in (out / "deep" / "jupiter_ser").iterdir()} - {UNBELIEVED, "index.html"} == {
        *FILES,
        *ENHANCED,
    }
    with sqlite3.connect(f"file:{desk.folder / 'prefect' / 'prefect.db'}?mode=ro", uri=True, timeout=10) as data:
        [table] = data.execute("select data from artifact where key = 'night'").fetchone()
    assert "not a SER capture" in table, "the table is in the UI, too"
    products, results = made(store), written(out)

    second = desk.ask("night", folder, *words)
    assert second.code == 1
    assert outcomes(folder) == {"jupiter_ser": "cached", "deep/jupiter_ser": "cached", "broken_ser": "failed"}
    assert (made(store), written(out)) == (products, results)
    assert desk.last_run().name == "night in night", (
        "no capture had a run: one that failed and has not changed, neither"
    )
    check_tried_again(desk, folder, second.out, words)

    (folder / "broken.ser").unlink()
    copy(folder / "new.ser", 2)
    assert desk.ask("night", folder, *words).code == 0
    assert outcomes(folder) == {"jupiter_ser": "cached", "deep/jupiter_ser": "cached", "new_ser": "restored"}
    assert products.items() <= made(store).items()
    assert results.items() <= written(out).items()

    copy(tmp_path / "other.ser", 3)
    (tmp_path / "other.ser").replace(folder / "jupiter.ser")
    assert desk.ask("night", folder, *words).code == 0
    assert outcomes(folder)["jupiter_ser"] == "restored", "another file of the same name is another capture"
    assert outcomes(folder)["new_ser"] == "cached"

    check_made_again(desk, folder, tmp_path, words)
    lines = (out / "night.log").read_text().splitlines()
    assert sum("begins; results in" in line for line in lines) == 10


def test_each_capture_has_its_settings(desk: Any, copy: Copy, tmp_path: Path, words: list[str]) -> None:
    night = tmp_path / "night"
    for number, name in enumerate(("Moon", "Mars")):
        (night / name).mkdir(parents=True)
        copy(night / name / "a.ser", number)
    (night / "Mars" / "stillsky.toml").write_text("[evaluate]\nstretch = 'asinh'\nsteps = 7\n")
    log = 'FireCapture v2.6  Settings\nProfile=Sun\nFilter=R\nShutter=5,000ms\nResolution=0.25"\n'
    (night / "Moon" / "a.txt").write_text(log)
    assert desk.ask("night", night, *words).code == 0
    reports = {n: json.loads((night / "restored" / n / "a_ser" / "report.json").read_text()) for n in ("Moon", "Mars")}
    sun, mars = reports["Moon"], reports["Mars"]
    assert sun["settings"]["evaluate"]["stretch"] == "linear", "the log says that it is the Sun"
    assert sun["settings"]["telescope"]["wavelength_nm"] == 640
    assert sun["settings"]["telescope"]["pixel_scale_arcsec"] == 0.25
    assert float(sun["capture"]["facts"]["exposure"]) == 0.005, "the solver is told, like by a FITS header"
    assert mars["settings"]["evaluate"]["stretch"] == "asinh"
    assert mars["settings"]["evaluate"]["steps"] == 60, "the command line wins over everything"


def test_hostile_files_run_and_reach_nothing(desk: Any, copy: Copy, tmp_path: Path, words: list[str]) -> None:
    night = tmp_path / "night"
    for number, name in enumerate(("good", "runs", "reads", "leads")):
        (night / name).mkdir(parents=True)
        copy(night / name / "$(touch x).ser", number)
    touch = tmp_path / "touched"
    (night / "runs" / "stillsky.toml").write_text(f"[night]\nnotify = 'touch {touch}'\n")
    (night / "reads" / "stillsky.toml").write_text("[camera]\ndark = '/etc/passwd'\n")
    (night / "good" / "$(touch x).txt").write_text(f"FireCapture\nProfile=../../x\nFilter=$(touch {touch})\n")
    out = tmp_path / "out"
    (out / "leads").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    name = next(n for n in names_of(night) if n.startswith("leads/"))
    (out / name).symlink_to(tmp_path / "elsewhere")
    assert desk.ask("night", night, "--out", out, *words).code == 1
    rows = json.loads((out / "night.json").read_text())["captures"]
    found = {row["capture"].split("/")[0]: (row["outcome"], row["reason"]) for row in rows}
    assert found["good"] == ("restored", "")
    assert "not taken from a file among the captures" in found["runs"][1]
    assert "outside the night's folder" in found["reads"][1]
    assert "leads out of the folder" in found["leads"][1]
    assert not touch.exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not list(desk.folder.glob("x"))


def names_of(night: Path) -> list[str]:
    return [c.name for c in night_at(night).captures]


def test_an_unfinished_capture_waits(desk: Any, folder: Path, tmp_path: Path, words: list[str]) -> None:
    """A recorder that writes all the time; when it has ended, the same command takes the capture."""
    (folder / "broken.ser").unlink()
    whole = (folder / "deep" / "jupiter.ser").read_bytes()
    growing = folder / "growing.ser"
    code = f"""
import os, time
from pathlib import Path
content, path, n = Path({str(folder / "deep" / "jupiter.ser")!r}).read_bytes(), {str(growing)!r}, 1000
with open(path, "wb", 0) as file:
    while True:
        file.write(content[file.tell():][:5] or b"x"); time.sleep(0.02)
"""
    recorder = subprocess.Popen([sys.executable, "-c", code])
    try:
        while not growing.exists():
            pass
        answer = desk.ask("night", folder, *words)
    finally:
        recorder.kill()
        recorder.wait()
    assert answer.code == 0
    assert outcomes(folder)["growing_ser"] == "waiting"
    assert list(outcomes(folder).values()).count("restored") == 2
    assert not (folder / "restored" / "growing_ser").exists()
    growing.write_bytes(whole + b"\0" * 8)
    assert desk.ask("night", folder, *words).code == 0
    assert "waiting" not in outcomes(folder).values()


def test_nights_before_and_after_are_left_alone(desk: Any, folder: Path, words: list[str]) -> None:
    (folder / "broken.ser").unlink()
    os.utime(folder / "jupiter.ser", (1.5e9, 1.5e9))
    assert desk.ask("night", folder, *words, "--until", "2020-01-01").code == 0
    assert outcomes(folder) == {"jupiter_ser": "restored"}
    assert desk.ask("night", folder, *words, "--since", "2035-01-01").code == 0
    assert outcomes(folder) == {}
    refused = desk.ask("night", folder, *words, "--by", "25:00")
    assert (refused.code, "does not match the format '%H:%M'" in refused.err) == (2, True)


def test_a_night_without_room_does_not_begin(desk: Any, folder: Path, words: list[str]) -> None:
    answer = desk.ask("night", folder, *words, "--set", "night.spare_gb=1e9")
    assert answer.code == 1
    assert "night.spare_gb" in answer.err
    summary = json.loads((folder / "restored" / "night.json").read_text())
    assert (summary["state"], summary["captures"]) == ("failed", [])


def test_a_disk_that_fills_up_in_the_middle(desk: Any, copy: Copy, tmp_path: Path, words: list[str]) -> None:
    night, store = tmp_path / "night", tmp_path / "store"
    night.mkdir()
    copy(night / "large.ser", 0)
    copy(night / "small.ser", 1, 16)
    first = desk.ask("night", night, *words, largest_file_bytes=190_000)
    assert first.code == 1
    assert outcomes(night) == {"large_ser": "failed", "small_ser": "restored"}
    assert "make room" in first.out
    before = made(store)
    assert desk.ask("night", night, *words).code == 0
    assert outcomes(night) == {"large_ser": "restored", "small_ser": "cached"}
    assert before.items() <= made(store).items()
    assert not [p for p in tmp_path.rglob("*.tmp") if "prefect" not in p.parts]


def test_word_is_sent_at_the_end(desk: Any, folder: Path, tmp_path: Path, words: list[str]) -> None:
    told, facts = tmp_path / "told.json", tmp_path / "facts"
    hook = f"cat > {told}; echo $STILLSKY_NIGHT_OUTCOME $STILLSKY_NIGHT_FAILED > {facts}; exit 3"
    config = tmp_path / "mine.toml"
    config.write_text(f"[night]\nnotify = {json.dumps(hook)}\n")
    shutil.rmtree(folder / "deep")
    (folder / "jupiter.ser").unlink()
    answer = desk.ask("night", folder, *words, "--config", config)
    assert answer.code == 1
    assert facts.read_text() == "failure 1\n"
    summary = json.loads(told.read_text())
    assert summary == json.loads((folder / "restored" / "night.json").read_text()) | {"written": summary["written"]}
    assert "notify command failed (3)" in (folder / "restored" / "night.log").read_text(), "and sinks nothing"
    config.write_text("[night]\nnotify = 'sleep 60'\nnotify_timeout_s = 0.1\n")
    (folder / "broken.ser").unlink()
    assert desk.ask("night", folder, *words, "--config", config).code == 0
    assert "was stopped after" in (folder / "restored" / "night.log").read_text()


def test_an_empty_night(desk: Any, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "night").mkdir()
    answer = desk.ask("night", tmp_path / "night", *words)
    assert answer.code == 0
    assert "no captures" in answer.out
