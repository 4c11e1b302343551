"""Results for the gallery: figures from reports of this and older versions, and files of no use passed over."""

import json
import math
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.results.gallery import Entry, results_below


def report(**more: Any) -> dict[str, Any]:
    row = {"d_over_r0": 5.0, "heldout_chi2_sky": 1.0, "heldout_chi2_stack": 4.0}
    return {
        "capture": {"name": "a.ser", "target": "Jupiter", "started": "2026-11-21T01:30:00", "frames": 50},
        "published": "sky", "verdict": ["The sky is published."], "frames": {"used": 48}, "channels": [row],
        "settings": {"telescope": {"aperture_m": 0.25, "wavelength_nm": 500.0}}, "thumbnails": {"width_arcsec": 60.0},
    } | more  # fmt: skip


def result(folder: Path, tree: Any, pictures: tuple[str, ...] = ("stack_thumb.png", "sky_thumb.png")) -> Path:
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(tree if isinstance(tree, str) else json.dumps(tree))
    for name in ("report.html", *pictures):
        (folder / name).touch()
    return folder


def test_seeing_in_centimetres_and_arcsec(tmp_path: Path) -> None:
    result(tmp_path / "n" / "a_ser", report())
    (entry,) = results_below(tmp_path)
    assert (entry.folder, entry.target, entry.night) == (Path("n/a_ser"), "Jupiter", date(2026, 11, 20))
    assert entry.r0_cm == pytest.approx(5.0)
    assert entry.fwhm_arcsec == pytest.approx(2.01, abs=0.01)  # 0.976 x 500 nm / 5 cm
    assert (entry.gain, entry.frames, entry.width_arcsec) == (4.0, (48, 50), 60.0)


def test_nights_in_another_colour_are_stated_at_500_nm(tmp_path: Path) -> None:
    """The same air through an infrared filter: r0 grows with the wavelength to the power 6/5, D/r0 falls."""
    infrared = report(settings={"telescope": {"aperture_m": 0.25, "wavelength_nm": 800.0}})
    infrared["channels"] = [{"d_over_r0": 5.0 / 1.6**1.2}]
    result(tmp_path / "ir", infrared)
    (entry,) = results_below(tmp_path)
    assert entry.r0_cm == pytest.approx(5.0)
    assert math.isnan(entry.gain)


def test_green_counts_in_colour(tmp_path: Path) -> None:
    rows = [{"d_over_r0": value} for value in (4.0, 5.0, 6.0)]
    colour = report(channels=rows, settings={"telescope": {"aperture_m": 0.25, "wavelength_nm": [620, 500, 460]}})
    result(tmp_path / "rgb", colour)
    (entry,) = results_below(tmp_path)
    assert (entry.d_over_r0, entry.r0_cm) == (5.0, pytest.approx(5.0))


def test_a_report_of_an_older_version(tmp_path: Path) -> None:
    old = report(capture={"name": "2026 Mars.ser", "frames": 9})
    del old["thumbnails"]
    result(tmp_path / "old", old, ("sky.png",))
    (entry,) = results_below(tmp_path)
    assert (entry.target, entry.started, entry.pictures) == ("Mars", None, ("sky.png",))


@pytest.mark.parametrize(
    "tree",
    [
        "", "[]", "null", "[" * 100_000, '{"published": "sky"', '{"published": {"a": 1}}', "\x00", "1" * 5000,
        report(published="other"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_passed_over(tmp_path: Path, tree: Any) -> None:
    result(tmp_path / "a", tree)
    assert results_below(tmp_path) == []


def test_values_of_the_wrong_shape_are_unknown(tmp_path: Path) -> None:
    odd = {
        "capture": [], "published": "sky", "verdict": 3, "frames": {"used": -1}, "channels": [[], {"d_over_r0": True}],
        "settings": {"telescope": {"aperture_m": "x", "wavelength_nm": []}},
    }  # fmt: skip
    result(tmp_path / "a", odd)
    (entry,) = results_below(tmp_path)
    assert (entry.name, entry.frames, entry.verdict) == ("a", (0, 0), "")
    assert math.isnan(entry.d_over_r0)
    assert math.isnan(entry.r0_cm)


def test_links_hidden_folders_and_huge_files_are_left_out(tmp_path: Path) -> None:
    outside = result(tmp_path / "outside" / "a", report())
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    result(folder / ".hidden", report())
    result(folder / "huge", " " * 4_000_001)
    assert results_below(folder) == []


def test_order_is_that_of_recording(tmp_path: Path) -> None:
    for name, hour in (("b", 1), ("a", 2)):
        moment = datetime(2026, 11, 21, hour).isoformat()
        result(tmp_path / name, report(capture={"name": name, "started": moment, "frames": 1}))
    entries: list[Entry] = results_below(tmp_path)
    assert [entry.name for entry in entries] == ["b", "a"]
