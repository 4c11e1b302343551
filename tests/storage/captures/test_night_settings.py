"""The settings of a capture: what lies beside and above it, its target, its filter, and what may not be set there."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from configs.load import BadConfig
from configs.request import CaptureRequest, NightRequest
from storage.captures.night import (
    capture_settings,
    check_is_capture,
    night_settings,
    sidecars_of,
)  # fmt: skip
from storage.captures.readers.ser import write_ser
from storage.errors import BadCapture, Hopeless
from tests.storage.captures.recordings import FRAMES, video


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
