"""A recorded run, and what the user gets of it: six files that agree with the store and each other, each whole or not there."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from configs.load import load_config
from configs.request import CaptureRequest
from configs.schema import Config
from flows.capture import publish_result
from flows.recipe import restore_capture
from storage.atomic import HOST
from storage.captures.capture import Capture, capture_at
from storage.errors import StoreError
from storage.product import CaptureResults
from storage.results.published import ENHANCED, FILES, UNBELIEVED
from storage.store import Store
from tasks.running.step import Run

Done = tuple[Store, CaptureResults, Capture, Config]


@pytest.fixture(scope="module")
def done(film: Path, quick: list[str], tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A restored capture."""
    store = Store(tmp_path_factory.mktemp("published") / "store")
    capture, config = capture_at(film), load_config(film.with_suffix(".toml"), overrides=quick[1::2])
    return store, restore_capture(Run(store), capture, config), capture, config


def test_files_agree_with_the_store(done: Done, tmp_path: Path) -> None:
    store, (result, enhanced, *_), _, config = done
    report = publish_result(*done, tmp_path / "deep" / "out")
    out = tmp_path / "deep" / "out"
    assert {p.name for p in out.iterdir()} - {UNBELIEVED} == {*FILES, *ENHANCED}
    with store.open(result) as file, fits.open(out / "sky.fits") as hdus:
        assert np.array_equal(hdus[0].data, file["published"][0])
        assert hdus[0].header["PRODUCT"] == f"{result.step}/{result.key}"
        assert hdus[0].header["CONTENT"] == file.attrs["verdict"]
        assert hdus[0].header["CDELT1"] == pytest.approx(config.telescope.scale_arcsec)
    with store.open(enhanced) as file, fits.open(out / "sky_enhanced.fits") as hdus:
        assert np.array_equal(hdus[0].data, file["enhanced"][0])
        assert hdus[0].header["MODEL"] == "none"
        assert "Richardson-Lucy" in "".join(hdus[0].header["HISTORY"])
    read = json.loads((out / "report.json").read_text())
    assert read["published"] == report["published"]
    assert read["settings"] == json.loads(json.dumps(report["settings"]))
    assert read["truth"]["solved"]["psnr_db"] > read["truth"]["stack"]["psnr_db"]


def test_publishing_over_an_older_result_leaves_no_remains(done: Done, tmp_path: Path) -> None:
    gone = 2**22 - 3  # no process has this number
    (tmp_path / f".sky.fits.{HOST}.{gone}.abcdef.tmp").write_text("half")
    living = tmp_path / f".sky.fits.{HOST}.{os.getpid()}.abcdef.tmp"
    living.write_text("half")
    (tmp_path / ".mine.tmp").write_text("kept")
    (tmp_path / "sky.fits").write_text("old")
    (tmp_path / "sky_enhanced.fits").write_text("old")
    store, results, capture, config = done
    publish_result(store, CaptureResults.of(results.evaluated), capture, config, tmp_path)
    assert not (tmp_path / "sky_enhanced.fits").exists(), (
        "an enhanced picture of another result is not left beside this"
    )
    publish_result(*done, tmp_path)
    assert sorted(p.name for p in tmp_path.glob(".*")) == [".mine.tmp", living.name]
    assert fits.getdata(tmp_path / "sky.fits").shape == (64, 64)


def test_names_for_winjupos(done: Done, tmp_path: Path) -> None:
    request = CaptureRequest(capture=done[2].path, winjupos=True)
    report = publish_result(*done, tmp_path, request)
    assert report["winjupos"] == "2020-01-01-0000_0-Tar", "nothing names the target"
    for kind in ("png", "tif"):
        assert (tmp_path / f"{report['winjupos']}.{kind}").read_bytes() == (tmp_path / f"sky.{kind}").read_bytes()
    assert "winjupos" not in publish_result(*done, tmp_path / "plain")


def test_report_names_the_observatory_file(done: Done, tmp_path: Path) -> None:
    store, results, capture, config = done
    assert publish_result(store, results, capture, config, tmp_path / "a")["observatory"] is None
    used = config.with_observatory(Path("/home/me/observatory.toml"))
    report = publish_result(store, results, capture, used, tmp_path / "b")
    assert report["observatory"] == "/home/me/observatory.toml"
    assert "/home/me/observatory.toml" in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")


def test_folder_that_cannot_be_made(done: Done, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="choose another folder with --out"):
        publish_result(*done, tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "mine"


def test_folder_that_the_disk_refuses(done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match="out cannot be made: No space left on device; choose another folder"):
        publish_result(*done, tmp_path / "out")


def test_the_page_shows_the_result_under_the_name_it_has_now(done: Done, tmp_path: Path) -> None:
    store, results, capture, config = done
    named = replace(capture, path=capture.path.with_name("<img src=x onerror=alert(1)>.ser"))
    publish_result(store, results, named, config, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "<h1>&lt;img src=x onerror=alert(1)&gt;.ser</h1>" in text
    assert json.loads((tmp_path / "report.json").read_text())["verdict"][0] in text


def test_failed_run_is_recorded_with_its_reason(desk: Any, tmp_path: Path) -> None:
    """A name with braces is no template of Prefect's; the message is kept for the log of the run."""
    path = tmp_path / "{jupiter} 1.ser"
    path.write_bytes(b"no capture")
    answer = desk.ask("restore", path, "--out", tmp_path / "out", "--store", tmp_path / "store")
    assert answer.code == 1
    run = desk.last_run()
    assert (run.name, run.state, run.tasks) == (
        f"{{jupiter}} 1.ser, {tmp_path.name}",
        "Failed",
        {"ingest": "Failed"},
    )
    assert "not a SER capture" in run.message
