"""Finding the captures of a night: which files are captures, where their results go, which night they belong to."""

import os
import subprocess
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from configs.load import BadConfig
from configs.request import CaptureRequest, NightRequest
from storage.captures.night import (
    capture_settings,
    check_is_capture,
    frame_bytes,
    night_at,
    night_settings,
    output_folder,
    results_folder,
    sidecars_of,
)  # fmt: skip
from storage.captures.readers.ser import write_ser
from storage.errors import BadCapture, Hopeless

FRAMES = np.random.default_rng(4).integers(0, 255, (5, 8, 9)).astype(np.uint8)


def video(path: Path, started: datetime | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stamps = None if started is None else started.timestamp() + np.arange(len(FRAMES))
    write_ser(path, FRAMES, 8, stamps)
    return path


def cube(path: Path, frames: np.ndarray = FRAMES, when: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu = fits.PrimaryHDU(frames)
    if when:
        hdu.header["DATE-OBS"] = when
    hdu.writeto(path)
    return path


def stills(folder: Path, count: int = 6) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(FRAMES[number % 5]).save(folder / f"f{number}.png")
    return folder


def names(folder: Path, *skip: Path) -> dict[str, str]:
    return {str(c.path.relative_to(folder)): c.name for c in night_at(folder, skip).captures}


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


def test_settings_beside_and_above_a_capture_nearest_last(tmp_path: Path) -> None:
    night = tmp_path / "night"
    path = video(night / "deep" / "down" / "a.ser")
    places = [tmp_path, night, night / "deep", night / "deep" / "down"]
    for place in places:
        (place / "stillsky.toml").write_text("")
    found, _ = sidecars_of(path, night)
    assert found.files == tuple(p / "stillsky.toml" for p in places[1:]), "what lies above the night is not its own"
    assert found.folder == night
    (night / "deep" / "stillsky.toml").unlink()
    (night / "deep" / "stillsky.toml").symlink_to(tmp_path / "stillsky.toml")
    assert len(sidecars_of(path, night)[0].files) == 2


def test_what_the_target_is(tmp_path: Path) -> None:
    night = tmp_path / "Moon 2026"
    path = video(night / "2026-11-20" / "Saturn" / "21_42_31.ser")
    assert sidecars_of(path, night)[1] == "planet", "SharpCap names the folder after the target"
    assert sidecars_of(video(night / "21.ser"), night)[1] == "moon"
    assert sidecars_of(video(night / "Saturn" / "sun 1.ser"), night)[1] == "sun"
    path.with_suffix(".txt").write_text("FireCapture v2.6 Settings\nProfile=ISS\n")
    assert sidecars_of(path, night)[1] == "satellite"


def test_an_aperture_may_wait_for_the_scale_of_the_logs(tmp_path: Path) -> None:
    settings = night_settings(NightRequest(folder=tmp_path, overrides=("telescope.aperture_m=0.3",)))
    assert settings.night.settle_s > 0


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


def test_settings_beside_a_capture_count_without_a_night(tmp_path: Path) -> None:
    capture = tmp_path / "Moon_1.ser"
    capture.write_bytes(b"x")
    (tmp_path / "stillsky.toml").write_text("[telescope]\npixel_scale_arcsec = 0.3\n")
    mine = tmp_path / "mine.toml"
    mine.write_text("[telescope]\naperture_m = 0.2\npixel_scale_arcsec = 0.5\n")
    config = capture_settings(CaptureRequest(capture=capture, config=mine))
    assert (config.telescope.aperture_m, config.telescope.pixel_scale_arcsec) == (0.2, 0.3)
    assert config.evaluate.stretch == "linear"  # of the Moon, by its name
    stars = CaptureRequest(capture=capture, profile="stars")
    assert capture_settings(stars).evaluate.stretch == "asinh"  # what the user says comes first
    kept = CaptureRequest(capture=capture, overrides=("telescope.pixel_scale_arcsec=0.7",))
    assert capture_settings(kept).telescope.pixel_scale_arcsec == 0.7


@pytest.mark.parametrize(
    "text", ["[night]\nnotify = 'x'\n", "[store]\nkeep_gb = 1\n", "[camera]\ndark = '/etc/passwd'\n"]
)
def test_a_file_beside_a_capture_may_set_nothing_dangerous(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ser").write_bytes(b"x")
    (tmp_path / "stillsky.toml").write_text(text)
    with pytest.raises(BadConfig, match=r"stillsky\.toml"):
        capture_settings(CaptureRequest(capture=tmp_path / "a.ser"))


def test_a_folder_of_captures_names_the_command_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "my night"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.ser").write_bytes(b"x")
    with pytest.raises(
        Hopeless, match=r"folder of captures \(deep/a\.ser\), not one: `stillsky night '.*my night'` restores"
    ):
        check_is_capture(folder)
    for companion in ("a.truth.fits", "a.psfs.fits"):
        fits.PrimaryHDU(np.ones((4, 4), np.float32)).writeto(folder / "deep" / companion)
    with pytest.raises(Hopeless, match=r"folder of captures \(a\.ser\)"):
        check_is_capture(folder / "deep")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadCapture, match="a folder without frames"):
        check_is_capture(tmp_path / "empty")


def test_a_part_of_a_colour_sky_has_the_wavelength_of_its_filter(tmp_path: Path) -> None:
    film, settings = video(tmp_path / "Jup_R.ser"), tmp_path / "own.toml"
    request = CaptureRequest(capture=film, filter="red")
    assert capture_settings(request).telescope.wavelength_nm == 640
    settings.write_text("[telescope]\nwavelength_nm = [620, 535, 460]\n")
    own = {name: CaptureRequest(capture=film, config=settings, filter=name) for name in ("red", "blue", "luminance")}
    told = {name: capture_settings(each).telescope.wavelength_nm for name, each in own.items()}
    assert told == {"red": 620, "blue": 460, "luminance": pytest.approx(538.33, abs=0.01)}
    alone = CaptureRequest(capture=film, config=settings)
    assert capture_settings(alone).telescope.wavelength_nm == 620, "of several only one can be that of a mono capture"
    write_ser(film, FRAMES, 8, bayer="RGGB")
    assert capture_settings(alone).telescope.wavelength_nm == (620, 535, 460)
    video(film)
    assert capture_settings(CaptureRequest(capture=film)).telescope.wavelength_nm == 550, (
        "one letter alone says nothing"
    )
    film.with_suffix(".txt").write_text("FireCapture v2.7\nFilter=IR685\n")
    assert capture_settings(request).telescope.wavelength_nm == 745, "the log knows better"
