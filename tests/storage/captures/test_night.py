"""Finding the captures of a night: which files are captures, where their results go, which night they belong to."""

import os
import subprocess
from datetime import date, datetime
from pathlib import Path

import pytest

from configs.request import NightRequest
from storage.captures.night import (
    frame_bytes,
    night_at,
    output_folder,
    results_folder,
    sidecars_of,
)  # fmt: skip
from storage.errors import Hopeless
from tests.storage.captures.recordings import FRAMES, cube, names, stills, video


def test_captures_of_every_kind_in_folders_of_any_depth(tmp_path: Path) -> None:
    video(tmp_path / "a" / "b" / "c" / "deep.SER")
    cube(tmp_path / "cube.fits")
    for number in range(5):
        cube(tmp_path / "lights" / f"l_{number}.fit", FRAMES[number])
    stills(tmp_path / "frames")
    (tmp_path / "film.mp4").write_bytes(b"x")
    assert names(tmp_path) == {
        "a/b/c/deep.SER": "a/b/c/deep_SER", "cube.fits": "cube_fits", "lights": "lights", "frames": "frames",
        "film.mp4": "film_mp4",
    }  # fmt: skip


def test_what_is_no_capture_is_left_out(tmp_path: Path) -> None:
    video(tmp_path / "jupiter.ser")
    for name in (
        "dark.ser",
        "Flat_R.ser",
        "master dark 5ms.ser",
        "bias-1.ser",
        "offset.ser",
        ".hidden.ser",
        "2026_flats.ser",
    ):
        video(tmp_path / name)
    for folder in ("darks", "Flats", ".trash", "restored", "store"):
        video(tmp_path / folder / "x.ser")
    for name in (
        "sky.fits",
        "stack.fits",
        "belief.fits",
        "sky_unbelieved.fits",
        "sky_enhanced.fits",
        "stack_dewarped.fits",
        "burst.fits",
        "burst_sigma.fits",
        "jupiter.truth.fits",
        "jupiter.psfs.fits",
    ):
        cube(tmp_path / name)
    stills(tmp_path / "snapshots", 3)
    (tmp_path / "notes.txt").write_text("x")
    mine = video(tmp_path / "mine.ser")
    assert names(tmp_path, tmp_path / "restored", tmp_path / "store", mine) == {"jupiter.ser": "jupiter_ser"}
    assert set(names(tmp_path, tmp_path / "restored")) == {"jupiter.ser", "mine.ser", "store/x.ser"}


@pytest.mark.parametrize("name", ["darkness.ser", "inflated.ser", "biased.ser", "Flatland2.ser"])
def test_a_name_that_only_begins_like_calibration_is_a_capture(tmp_path: Path, name: str) -> None:
    video(tmp_path / name)
    assert len(names(tmp_path)) == 1


def test_no_two_captures_share_a_folder_of_results(tmp_path: Path) -> None:
    for name in ("jupiter.ser", "jupiter.avi", "Jupiter.ser", "jupiter_ser.avi", "jupiter ser.ser", "sub/jupiter.ser"):
        video(tmp_path / name)
    stills(tmp_path / "jupiter_ser")
    found = names(tmp_path)
    assert len(found) == 7
    assert len({name.casefold() for name in found.values()}) == 7


def test_the_name_of_a_capture_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    video(tmp_path / "jupiter.ser")
    before = names(tmp_path)
    video(tmp_path / "jupiter.avi")
    assert names(tmp_path)["jupiter.ser"] == before["jupiter.ser"]


@pytest.mark.parametrize(
    "name",
    [
        "$(touch x).ser",
        "a;rm -rf ~.ser",
        "a..ser",
        "a . ..ser",
        "a\nb.ser",
        "é'\".ser",
        "x" * 200 + ".ser",
        "-rf.ser",
        b"\xff\xfe.ser",
    ],
)
def test_a_hostile_name_gives_a_harmless_folder(tmp_path: Path, name: str | bytes) -> None:
    video(tmp_path / "night" / os.fsdecode(name))
    [(found, folder)] = names(tmp_path / "night").items()
    assert found == os.fsdecode(name)
    assert output_folder(tmp_path / "out", folder).resolve().is_relative_to(tmp_path / "out")
    assert not set(folder) & set("$;'\"\n\\/`&|<>*?")
    assert ".." not in Path(folder).parts
    assert len(folder) < 120
    folder.encode()


def test_links_lead_nowhere(tmp_path: Path) -> None:
    night, out = tmp_path / "night", tmp_path / "night" / "restored"
    video(night / "a.ser")
    (night / "loop").symlink_to(night)
    video(tmp_path / "elsewhere" / "b.ser")
    (night / "other").symlink_to(tmp_path / "elsewhere")
    assert list(names(night)) == ["a.ser"]
    out.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Hopeless, match="link"):
        results_folder(NightRequest(folder=night))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_ser").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Hopeless, match="leads out"):
        output_folder(tmp_path / "out", "a_ser")


def test_a_night_lasts_from_noon_to_noon(tmp_path: Path) -> None:
    evening, morning = datetime(2026, 11, 20, 21, 0), datetime(2026, 11, 21, 4, 0)
    video(tmp_path / "late.ser", morning)
    video(tmp_path / "early.ser", evening)
    video(tmp_path / "next.ser", datetime(2026, 11, 21, 13, 0))
    night = night_at(tmp_path)
    assert [c.path.name for c in night.captures] == ["early.ser", "late.ser", "next.ser"], "in the order of recording"
    day, after = date(2026, 11, 20), date(2026, 11, 21)
    assert [c.path.name for c in night.between(None, day)] == ["early.ser", "late.ser"]
    assert [c.path.name for c in night.between(after, after)] == ["next.ser"]
    assert len(night.between(None, None)) == 3


def test_when_it_was_recorded(tmp_path: Path) -> None:
    """The header says it best, then the log; the time of the file is the last resort."""
    path = video(tmp_path / "a.ser")
    os.utime(path, (1.5e9, 1.5e9))
    assert night_at(tmp_path).captures[0].started == datetime.fromtimestamp(1.5e9)
    (tmp_path / "a.CameraSettings.txt").write_text("[Cam]\nStartCapture=2026-08-12T18:28:45\n")
    assert night_at(tmp_path).captures[0].started == datetime(2026, 8, 12, 18, 28, 45)
    path.unlink()
    cube(tmp_path / "a.fits", when="2026-08-13T18:28:45")
    started = datetime.fromisoformat("2026-08-13T18:28:45+00:00").astimezone().replace(tzinfo=None)
    assert night_at(tmp_path).captures[0].started == started


def test_the_size_of_frames_is_not_that_of_the_file(tmp_path: Path) -> None:
    folder = stills(tmp_path / "frames")
    assert frame_bytes(folder) >= 6 * 8 * 9
    assert frame_bytes(tmp_path / "gone.ser") == 0


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Hopeless, match="no such folder"):
        night_at(tmp_path / "gone")


def test_nothing_in_a_folder_ends_the_night(tmp_path: Path) -> None:
    video(tmp_path / "good.ser")
    (tmp_path / "a.fits").write_bytes(b"SIMPLE  =" + bytes(100))
    (tmp_path / "b.tif").write_bytes(b"II*\0" + bytes(4))
    (tmp_path / "c.ser").write_bytes(b"LUCAM-RECORDER" + b"\xff" * 400)
    os.mkfifo(tmp_path / "d.ser")
    (tmp_path / "good.txt").write_text("FireCapture\nDate=080619\nDate_format=ddddMM\n")
    video(tmp_path / "old.ser")
    os.utime(tmp_path / "old.ser", (-6.2e10, -6.2e10))
    night = night_at(tmp_path)
    assert {c.path.name for c in night.captures} == {"good.ser", "a.fits", "b.tif", "c.ser", "old.ser"}
    assert len(night.between(date(1800, 1, 1), None)) == 5
    assert all(frame_bytes(c.path) < 1e6 for c in night.captures)


def test_a_reader_that_fails_in_any_way_costs_what_it_would_have_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise ZeroDivisionError

    video(tmp_path / "a.ser")
    monkeypatch.setattr("storage.captures.night.started", fail)
    monkeypatch.setattr("storage.captures.night.log_of", fail)
    assert [c.path.name for c in night_at(tmp_path).captures] == ["a.ser"]
    assert sidecars_of(tmp_path / "a.ser", tmp_path)[0].files == ()


def test_folders_nested_without_end_are_left_at_some_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "a.ser")
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    assert [c.path.name for c in night_at(tmp_path).captures] == ["a.ser"]
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # pytest's own removal would end at a thousand


def test_a_long_path_gives_a_name_that_can_be_a_folder(tmp_path: Path) -> None:
    video(tmp_path.joinpath(*(f"{n}" * 40 for n in range(10, 20))) / "a.ser")
    [name] = names(tmp_path).values()
    (tmp_path / "out" / name).mkdir(parents=True)
    assert len(name) < 120
