"""Captures through filters become one colour sky: by `restore`, by `night`, again without work, and not where one is missing."""

import json
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.results.published import FILES
from tasks.benchmark.simulate import simulate

EVENING = datetime(2026, 11, 20, 22, 0)
EASY = ("night.settle_s=0.2", "night.poll_s=0.05", "night.spare_gb=0")
SIZES = {"R": (64, 64), "G": (64, 64), "B": (56, 60)}
"""Height and width of the frames, px."""


def made(store: Path) -> dict[str, int]:
    """Every product, and when it was written."""
    found = (p for p in store.glob("*/*.h5") if not p.name.startswith("."))
    return {str(p.relative_to(store)): p.stat().st_mtime_ns for p in found}


def outcomes(night: Path) -> dict[str, str]:
    summary = json.loads((night / "restored" / "night.json").read_text())
    return {row["capture"]: row["outcome"] for row in summary["captures"]}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One planet through three filters in turn, each with air, place and frame of its own; no settings beside them."""
    folder, films = tmp_path_factory.mktemp("air"), tmp_path_factory.mktemp("films")
    scene = {"n_frames": 32, "size_px": 64, "d_over_r0": 4.0, "photons_peak": 8000.0}
    simulate(folder / "sky.ser", {**scene, "n_frames": 1, "seed": 3})
    for number, (letter, (height, width)) in enumerate(SIZES.items()):
        film = folder / f"{letter}.ser"
        simulate(film, {**scene, "seed": number}, truth=folder / "sky.truth.fits")
        with open_capture(film) as reader:
            frames = np.concatenate([block[:, 0] for block in reader.blocks(64)])
        frames = np.roll(frames, (2 * number, -number), axis=(1, 2))[:, :height, :width]
        stamps = (EVENING + timedelta(seconds=90 * number)).timestamp() + 0.05 * np.arange(len(frames))
        write_ser(films / f"Jup_{letter}_22{number:02d}.ser", frames, 12, stamps)
    shutil.copy(folder / "G.toml", films / "optics.toml")
    return films


@pytest.fixture(scope="module")
def optics(films: Path) -> Path:
    """Settings of the telescope with a wavelength for each filter."""
    path = films / "optics.toml"
    text = path.read_text().replace("wavelength_nm = 550.0", "wavelength_nm = [640.0, 530.0, 450.0]")
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def words(store: Path, optics: Path, quick: list[str]) -> list[str]:
    return ["--store", str(store), "--device", "cpu", "--config", str(optics), *quick]


def check_published(folder: Path, out: Path) -> None:
    """Are the files of the colour sky whole, and is it in the gallery and the night's summary?"""
    report = json.loads((folder / "report.json").read_text())
    assert [(p["filter"], p["name"]) for p in report["parts"]] == [
        ("red", "Jup_R_2200.ser"), ("green", "Jup_G_2201.ser"), ("blue", "Jup_B_2202.ser")
    ]  # fmt: skip
    assert [p["wavelength_nm"] for p in report["parts"]] == [640.0, 530.0, 450.0], "each part has its filter's own"
    assert {name for name in FILES if (folder / name).is_file()} == set(FILES)
    with fits.open(folder / "sky.fits") as file:
        assert file[0].data.shape[0] == 3
        assert file[0].header["PART_B"] == "Jup_B_2202.ser"
        assert file[0].header["CAPTURE"] == "Jup_RGB_2200"
    assert Image.open(folder / "sky_thumb.png").mode == "RGB"
    assert 'href="../Jup_G_2201_ser/report.html"' in (folder / "report.html").read_text()
    assert "Jup_RGB_2200" in (out / "index.html").read_text()
    summary = json.loads((out / "night.json").read_text())
    schema = Path(__file__).parents[2] / "storage" / "results" / "night.schema.json"
    jsonschema.validate(summary, json.loads(schema.read_text()))


def check_lost_part(desk: Any, night: Path, out: Path, words: list[str]) -> None:
    """A part that fails takes the colour sky with it and no other part; without it there is none."""
    (night / "Jup_B_2202.ser").write_bytes(b"no capture")
    os.utime(night / "Jup_B_2202.ser", (late := (EVENING + timedelta(seconds=200)).timestamp(), late))
    assert desk.ask("night", night, *words).code == 1
    row = next(
        row for row in json.loads((out / "night.json").read_text())["captures"] if row["capture"] == "Jup_RGB_2200"
    )
    assert row["outcome"] == "skipped"
    assert row["reason"].startswith("its blue part Jup_B_2202_ser failed: ")
    assert {"Jup_R_2200_ser": "cached", "Jup_G_2201_ser": "cached"}.items() <= outcomes(night).items()

    (night / "Jup_B_2202.ser").unlink()
    assert desk.ask("night", night, *words).code == 0
    assert "Jup_RGB_2200" not in outcomes(night)
    assert "blue missing" in (out / "night.log").read_text()


def test_a_night_makes_the_colour_sky(desk: Any, films: Path, store: Path, words: list[str], tmp_path: Path) -> None:
    night, out = tmp_path / "night", tmp_path / "night" / "restored"
    night.mkdir()
    for film in films.glob("*.ser"):
        shutil.copy2(film, night)
    easy = [word for setting in EASY for word in ("--set", setting)]
    first = desk.ask("night", night, *words, *easy)
    assert first.code == 0, first.err
    assert outcomes(night) == dict.fromkeys(
        ["Jup_R_2200_ser", "Jup_G_2201_ser", "Jup_B_2202_ser", "Jup_RGB_2200"], "restored"
    )
    check_published(out / "Jup_RGB_2200", out)

    products = made(store)
    again = desk.ask("night", night, *words, *easy)
    assert again.code == 0
    assert set(outcomes(night).values()) == {"cached"}
    assert made(store) == products
    assert desk.last_run().name == "night in night", "no part and no group had a run"

    (out / "Jup_RGB_2200" / "sky.tif").unlink()
    shutil.rmtree(store / "combine")
    assert desk.ask("night", night, "--winjupos", *words, *easy).code == 0
    assert outcomes(night)["Jup_RGB_2200"] == "restored"
    assert set(made(store)) == set(products), "only the combined product was made anew"
    assert desk.last_run().tasks == {"combine": "Completed"}
    for name in ("Jup_RGB_2200", "Jup_G_2201_ser"):
        [named] = (out / name).glob("2026-11-20-*-Jup.tif")
        assert named.read_bytes() == (out / name / "sky.tif").read_bytes()

    check_lost_part(desk, night, out, [*words, *easy])


def test_restore_takes_the_parts(desk: Any, films: Path, store: Path, words: list[str], tmp_path: Path) -> None:
    parts, out = sorted(films.glob("Jup_*.ser")), tmp_path / "out"
    answer = desk.ask("restore", *parts, "--out", out, *words)
    assert answer.code == 0, answer.err
    assert "A colour sky of captures through red, green and blue is published" in answer.out
    assert sorted(p.name for p in (out / "parts").iterdir()) == ["blue", "green", "red"]
    assert {name for name in FILES if (out / "parts" / "blue" / name).is_file()} == set(FILES), "the parts stay"
    before = made(store)
    assert desk.ask("restore", *parts, "--out", out, *words).code == 0
    assert made(store) == before
    finished = desk.ask("finish", out, "--winjupos", "--tiff")
    assert finished.code == 0, finished.err
    names = sorted(p.name for p in out.glob("*-Jup-finished.*"))
    assert names == [f"{names[0][:17]}-Jup-finished.{end}" for end in ("fits", "json", "png", "tif")]


def test_what_makes_no_colour_sky_is_refused(desk: Any, films: Path, words: list[str], tmp_path: Path) -> None:
    red, green = films / "Jup_R_2200.ser", films / "Jup_G_2201.ser"
    two = desk.ask("restore", red, green, "--out", tmp_path / "out", *words)
    assert two.code != 0
    assert "2 captures: one is restored by itself" in two.err
    twice = desk.ask("restore", red, green, green, "--out", tmp_path / "out", *words)
    assert "a colour sky needs one capture each through red, green and blue" in twice.err
    content = bytearray(green.read_bytes())
    content[18] = 8  # ColorID of a RGGB mosaic
    (tmp_path / "Jup_B_0.ser").write_bytes(content)
    mosaic = desk.ask("restore", red, green, tmp_path / "Jup_B_0.ser", "--out", tmp_path / "out", *words)
    assert mosaic.code != 0
    assert "its frames have a mosaic RGGB" in mosaic.err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("*.fits"))
    for answer in (two, twice, mosaic):
        assert "Traceback" not in answer.err
