"""What a capture shows and when: the log before the name, the header's time before the file's."""

import os
from datetime import date, datetime
from pathlib import Path

import pytest

from storage.captures.target import origin_of, target_in


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("Jupiter_21_42_31", "Jupiter"),
        ("2026-08-12 Mond", "Moon"),
        ("JUP_001", "Jupiter"),
        ("iss pass", "ISS"),
        ("capture", ""),
        ("<script>", ""),
    ],
)
def test_target_in_a_name(name: str, target: str) -> None:
    assert target_in(name) == target


def capture(folder: Path, name: str, log: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.avi"
    path.write_bytes(b"RIFF")
    os.utime(path, (datetime(2026, 11, 21, 1, 30).timestamp(),) * 2)
    if log:
        path.with_suffix(".txt").write_text(log)
    return path


def test_the_log_says_what_and_when(tmp_path: Path) -> None:
    log = "FireCapture v2.7 Settings\nDate=191126\nStart=224500.000\nDate_format=ddMMyy\nProfile=Saturn\n"
    origin = origin_of(capture(tmp_path, "jupiter", log))
    assert (origin.target, origin.started) == ("Saturn", datetime(2026, 11, 19, 22, 45))


def test_without_a_log_the_name_the_folder_and_the_file_tell(tmp_path: Path) -> None:
    origin = origin_of(capture(tmp_path / "Mars", "0001"))
    assert (origin.target, origin.night) == ("Mars", date(2026, 11, 20))  # after midnight, the evening's night


def test_an_unknown_target_of_a_log_is_shown_plain(tmp_path: Path) -> None:
    origin = origin_of(capture(tmp_path, "x", "FireCapture\nProfile=NGC \x1b[31m 1\n"))
    assert origin.target == "NGC  [31m 1"
