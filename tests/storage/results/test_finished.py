"""Results read back from their folder, and names for WinJUPOS."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.errors import Hopeless
from storage.results.export import save_fits, save_json
from storage.results.finished import add_winjupos_name, read_result, save_finished, winjupos_name


def result_in(folder: Path, channels: int = 1) -> Path:
    """A small published result: a disc, softer in the stack."""
    y, x = np.mgrid[:64, :64]
    radius = np.hypot(y - 28, x - 36)
    sky = np.repeat(1000 / (1 + np.exp(2 * (radius - 9)))[None], channels, 0).astype(np.float32)
    stack = np.repeat(1000 / (1 + np.exp(0.6 * (radius - 9)))[None], channels, 0).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (("sky", sky), ("stack", stack), ("belief", np.full_like(sky, 2.0))):
        save_fits(folder / f"{name}.fits", picture, {}, [])
    telescope = {"focal_length_mm": 5000.0, "pixel_size_um": 5.0, "pixel_scale_arcsec": None}
    save_json(
        folder / "report.json",
        {
            "product": "evaluate/1",
            "capture": {"name": "jup_1.ser", "target": "Jupiter", "middle_utc": "2026-11-20T22:14:19.000+00:00"},
            "settings": {"telescope": telescope, "colour": {"white": "none"}, "evaluate": {"stretch": "linear"}},
            "channels": [{"cutoff_cpp": 0.4}] * channels,
        },
    )
    return folder


def test_a_result_is_read_back(tmp_path: Path) -> None:
    result = read_result(result_in(tmp_path, 3))
    assert result.sky.shape == result.stack.shape == (3, 64, 64)
    assert result.scale_arcsec == pytest.approx(0.2063, rel=1e-3)


@pytest.mark.parametrize("fault", ["empty", "no report", "garbled", "cut off", "other shape", "not finite"])
def test_what_is_no_result_is_refused_in_words(tmp_path: Path, fault: str) -> None:
    folder = result_in(tmp_path)
    if fault == "empty":
        (folder / "report.json").unlink()
    elif fault == "no report":
        (folder / "report.json").write_text("[1, 2]")
    elif fault == "garbled":
        (folder / "report.json").write_bytes(b"\xff\xfe{")
    elif fault == "cut off":
        (folder / "sky.fits").write_bytes((folder / "sky.fits").read_bytes()[:1000])
    else:
        bad = np.full((1, 64, 64) if fault == "not finite" else (1, 20, 20), np.nan, np.float32)
        save_fits(folder / "stack.fits", bad if fault == "not finite" else np.zeros_like(bad), {}, [])
    with pytest.raises(Hopeless, match="restore"):
        read_result(folder)


def test_every_file_holds_the_record(tmp_path: Path) -> None:
    import tifffile
    from astropy.io import fits
    from PIL import Image

    record = {"stretch": "linear", "blend": 0.5}
    picture = np.random.default_rng(1).random((3, 16, 20), np.float32)
    paths = save_finished(tmp_path, "done", picture, record, 0.2, tiff=True)
    assert [path.name for path in paths] == ["done.fits", "done.png", "done.tif", "done.json"]
    assert json.loads(paths[3].read_text()) == record
    assert json.loads(Image.open(paths[1]).info["Description"]) == record
    with tifffile.TiffFile(paths[2]) as tiff:
        assert json.loads(tiff.pages[0].description) == record
        assert tiff.asarray().dtype == np.uint16
    header = fits.getheader(paths[0])
    assert "blend = 0.5" in str(header["HISTORY"])
    assert header["CDELT1"] == 0.2


def test_winjupos_names(tmp_path: Path) -> None:
    report = read_result(result_in(tmp_path)).report
    assert winjupos_name(report) == "2026-11-20-2214_3-Jup"
    assert winjupos_name({"capture": {"name": "x", "middle_utc": "2026-11-20T23:59:59.9+01:00"}}) == (
        "2026-11-20-2259_9-Tar"
    )


@pytest.mark.parametrize("capture", [{}, {"middle_utc": None}, {"middle_utc": "yesterday"}, None])
def test_without_a_time_in_ut_there_is_no_winjupos_name(capture: object) -> None:
    with pytest.raises(Hopeless, match="--winjupos"):
        winjupos_name({"capture": capture})


def test_without_a_time_a_name_for_winjupos_is_left_out_with_the_reason() -> None:
    report: dict[str, Any] = {"capture": {"name": "Jupiter.ser", "middle_utc": None}, "verdict": []}
    assert "No file for WinJUPOS" in add_winjupos_name(report, True)
    assert report["winjupos"] is None
    assert "timestamps" in report["verdict"][0]
    report["capture"]["middle_utc"] = "2026-11-20T22:14:18.000+00:00"
    assert add_winjupos_name(report, True) == ""
    assert report["winjupos"] == "2026-11-20-2214_3-Jup"
    plain: dict[str, Any] = {}
    assert add_winjupos_name(plain, False) == ""
    assert plain == {}
