"""Logs as SharpCap and FireCapture write them, and as nobody should: what they tell becomes settings, nonsense nothing."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from configs.load import Sidecars, load_config
from storage.captures.filter_names import wavelength_nm
from storage.captures.sidecars import MAX_LOG_BYTES, Log, log_of, profile_of

FIRECAPTURE = """FireCapture v2.6  Settings
------------------------------------
Observer=Somebody
Scope=C14
Camera=ZWO ASI290MM
Filter=R
Profile=Jupiter
Diameter=44.12"
Magnitude=-2.51
CMI=203.0° CMII=287.0°  (during mid of capture)
FocalLength=5950mm (F/17)
Resolution=0.10"
Filename=Jup_134141.ser
Date=080619
Start=134126.410
Mid=134141.422
End=134156.435
Start(UT)=174126.410
Duration=30.025s
Date_format=ddMMyy
Time_format=HHmmss
LT=UT -5h
Frames captured=64
File type=SER
Binning=no
ROI=640x480
FPS (avg.)=2
Shutter=5.060ms
Gain=298 (49%)
FPS=100 (off)
Limit=30 Seconds
Sensor temperature=27.0 C
"""
SHARPCAP = """[ZWO ASI294MM]
FrameType=Light
Binning=1
Colour Space=MONO16
Capture Area=640x480
Exposure/Gain Shift=3
Exposure=10,5000ms
Temperature=-0.30000001192092896
ZWO FilterWheel (1)=Green
Subtract Dark=None
ASI Mount=RA=09:13:06.0,Dec=+13:56:48 (JNOW)
StartCapture=2026-08-12T18:28:45.5937053Z
MidCapture=2026-08-12T18:29:13.9803398Z
FrameCount=180
TimeZone=+2.00
"""


def beside(folder: Path, name: str, text: str | bytes, capture: str = "a.ser") -> Log:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return log_of(folder / capture)


def test_firecapture(tmp_path: Path) -> None:
    log = beside(tmp_path, "a.txt", FIRECAPTURE.replace("\n", "\r\n"))
    assert (log.target, log.camera, log.filter, log.profile) == ("Jupiter", "ZWO ASI290MM", "R", "planet")
    assert log.exposure_s == pytest.approx(0.00506)
    assert log.started == datetime(2019, 6, 8, 13, 41, 26)
    told = {"pixel_scale_arcsec": 0.10, "focal_length_mm": 5950.0, "wavelength_nm": 640.0}
    assert log.settings == {"telescope": told, "camera": {"exposure_s": pytest.approx(0.00506)}}
    assert load_config(sidecars=Sidecars(log.settings)).telescope.scale_arcsec == 0.10


def test_sharpcap(tmp_path: Path) -> None:
    log = beside(tmp_path, "a.CameraSettings.txt", SHARPCAP)
    assert (log.camera, log.filter, log.target) == ("ZWO ASI294MM", "Green", "")
    assert log.exposure_s == pytest.approx(0.0105)
    assert log.started == datetime.fromisoformat("2026-08-12T18:28:45.593705+00:00").astimezone().replace(tzinfo=None)
    assert log.settings["telescope"] == {"wavelength_nm": 530.0}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_code_pages(tmp_path: Path, encoding: str) -> None:
    log = beside(tmp_path, "a.txt", FIRECAPTURE.replace("Somebody", "Müller").encode(encoding))
    assert (log.target, log.filter) == ("Jupiter", "R")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.0800ms", 8e-5), ("12,5 ms", 0.0125), ("1.5s", 1.5), ("0.0128", 0.0128), ("250µs", 2.5e-4), ("500us", 5e-4),
        ("20ms (auto)", 0.02), ("lots", None), ("-3ms", None), ("1e99s", None), ("", None), ("0ms", None), ("9999s", None),
    ],
)  # fmt: skip
def test_exposures(tmp_path: Path, text: str, seconds: float | None) -> None:
    log = beside(tmp_path, "a.CameraSettings.txt", f"[X]\nExposure={text}\n")
    assert log.exposure_s == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("date", "form", "start"),
    [
        ("080619", "ddMMyy", datetime(2019, 6, 8, 13, 41, 26)),
        ("20190608", "yyyyMMdd", datetime(2019, 6, 8, 13, 41, 26)),
        ("08_06_2019", "dd_MM_yyyy", datetime(2019, 6, 8, 13, 41, 26)),
        ("991399", "ddMMyy", None),
        ("08(0619", "dd(MMyy", datetime(2019, 6, 8, 13, 41, 26)),
        ("x", "ddddMMyy", None),
        ("080619", "ddddMM", None),
        ("0806", "ddMM", None),
    ],
)
def test_dates(tmp_path: Path, date: str, form: str, start: datetime | None) -> None:
    text = FIRECAPTURE.replace("Date=080619", f"Date={date}").replace("Date_format=ddMMyy", f"Date_format={form}")
    assert beside(tmp_path, "a.txt", text).started == start


def test_start_in_universal_time(tmp_path: Path) -> None:
    text = FIRECAPTURE.replace("Start=134126.410\n", "")
    assert beside(tmp_path, "a.txt", text).started == datetime(2019, 6, 8, 12, 41, 26)


@pytest.mark.parametrize(
    ("name", "nm"),
    [
        ("R", 640), ("Green", 530), ("L", 550), ("CH4", 889), ("H-alpha", 656.3), ("IR685", 745), ("ProPlanet 742", 802),
        ("642BP", 642), ("RGB", None), ("", None), ("my filter", None), ("99999", None),
    ],
)  # fmt: skip
def test_filters(name: str, nm: float | None) -> None:
    assert wavelength_nm(name) == nm


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("Jupiter_21_42_31", "planet"), ("2026-08-12 Moon", "moon"), ("SUN", "sun"), ("ISS pass 2", "satellite"),
        ("Mond", "moon"), ("moonlight sonata", None), ("2026-08-12", None), ("capture", None), ("../../Mars", "planet"),
    ],
)  # fmt: skip
def test_targets(name: str, profile: str | None) -> None:
    assert profile_of(name) == profile


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\x00\xff" * 500,
        b"FireCapture\nResolution=1e999\"\nShutter=nanms\nFocalLength=-5mm\nDate=\xb2\xb2\xb2\xb2\xb2\xb2\n",
        b"FireCapture\nResolution=0,00000\"\nFilter=$(touch x)\nProfile=../../x\nDate_format=(((\nLT=UT 99999999h\n",
        b"\xff\xfeF", b"FireCapture\n=\n==\n[[[\n" + b"Shutter=" + b"9" * 5000,
    ],
)  # fmt: skip
def test_nonsense_tells_nothing_and_breaks_nothing(tmp_path: Path, text: bytes) -> None:
    for name in ("a.txt", "a.CameraSettings.txt"):
        log = beside(tmp_path, name, text)
        assert (log.settings, log.profile, log.started) == ({}, None, None)
        config = load_config(sidecars=Sidecars(log.settings))
        for section, entries in log.settings.items():
            for key, told in entries.items():
                assert getattr(getattr(config, section), key) == pytest.approx(told)


def test_only_a_file_in_the_same_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    (tmp_path / "other.txt").write_text(FIRECAPTURE)
    (folder / "a.txt").symlink_to(tmp_path / "other.txt")
    assert log_of(folder / "a.ser") == Log()
    (folder / "b.txt").mkdir()
    assert log_of(folder / "b.ser") == Log()


def test_a_note_that_is_no_log_is_left_alone(tmp_path: Path) -> None:
    assert beside(tmp_path, "a.txt", "Shutter=5ms\nProfile=Moon\n") == Log()


def test_no_more_is_read_than_a_log_has(tmp_path: Path) -> None:
    assert beside(tmp_path, "a.txt", FIRECAPTURE + "x" * MAX_LOG_BYTES + "\nExposure=1s").target == "Jupiter"


def test_a_folder_of_frames_has_its_log_in_it_or_beside_it(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    beside(frames, "frame_0001.CameraSettings.txt", SHARPCAP)
    assert log_of(frames).camera == "ZWO ASI294MM"
    assert beside(tmp_path, "frames.txt", FIRECAPTURE, "frames").camera == "ZWO ASI290MM"


def test_what_is_told_can_always_be_used(tmp_path: Path) -> None:
    """Whatever passes the parser is inside the ranges of the schema."""
    values: list[Any] = ["0.001", "19.99", "20", "0", "25", "1e-9"]
    for value in values:
        log = beside(tmp_path, "a.txt", f'FireCapture\nResolution={value}"\nFocalLength={value}\nShutter={value}\n')
        load_config(sidecars=Sidecars(log.settings))


@pytest.mark.parametrize(
    "text", ["Exposure=1" + " " * 60_000 + "x", "[a" + "] " * 30_000 + "x", "Shutter=" + " " * 60_000]
)
def test_a_long_line_is_read_at_once(tmp_path: Path, text: str) -> None:
    """Time grows with the length, not with its square: this would take minutes."""
    for name in ("a.CameraSettings.txt", "a.txt"):
        log = beside(tmp_path, name, f"FireCapture\n[X]\n{text}\n")
        assert log.started is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_cannot_be_meant_is_none(tmp_path: Path, moment: str) -> None:
    assert beside(tmp_path, "a.CameraSettings.txt", f"[X]\nStartCapture={moment}\n").started is None
