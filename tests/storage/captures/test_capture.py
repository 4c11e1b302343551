"""A capture is its content: not its name, not its place."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from storage.captures.capture import Capture, capture_at, check_finite, check_size
from storage.captures.readers import Header
from storage.captures.readers.ser import write_ser
from storage.errors import BadCapture, Unsettled

FRAMES = np.random.default_rng(4).integers(0, 255, (5, 8, 9)).astype(np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    write_ser(tmp_path / "jupiter.ser", FRAMES, 8)
    return tmp_path / "jupiter.ser"


def changed(path: Path) -> Path:
    write_ser(path, FRAMES + 1, 8)
    return path


def test_the_same_content_elsewhere_is_the_same_capture(video: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    copy = shutil.copy(video, tmp_path / "disk" / "renamed.ser")
    assert capture_at(copy).identity == capture_at(video).identity


def test_one_other_byte_is_another_capture(video: Path) -> None:
    before = capture_at(video).identity
    content = bytearray(video.read_bytes())
    content[-1] ^= 1
    video.write_bytes(content)
    assert capture_at(video).identity != before


def test_calibration_is_part_of_what_the_frames_are(video: Path, tmp_path: Path) -> None:
    dark = changed(tmp_path / "dark.ser")
    kinds = [
        capture_at(video),
        capture_at(video, dark=dark),
        capture_at(video, flat=dark),
        capture_at(video, dark, dark),
    ]
    assert len({str(c.identity) for c in kinds}) == 4


def test_the_path_is_absolute(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(video.parent)
    found = capture_at(Path("jupiter.ser"))
    assert found.path == video
    assert found.name == "jupiter.ser"


@pytest.mark.parametrize("which", ["path", "dark", "flat"])
def test_a_missing_file_is_named(video: Path, tmp_path: Path, which: str) -> None:
    gone = tmp_path / "gone.ser"
    with pytest.raises(BadCapture, match=r"gone\.ser"):
        capture_at(**{"path": video, which: gone})


def test_a_capture_is_a_value(video: Path) -> None:
    assert isinstance(capture_at(video), Capture)
    assert capture_at(video) == capture_at(video)
    assert len({capture_at(video), capture_at(video)}) == 1


def test_files_that_changed_since_are_noticed(video: Path) -> None:
    capture = capture_at(video)
    capture.check()
    with video.open("ab") as file:
        file.write(b"x")
    with pytest.raises(Unsettled, match="changed while"):
        capture.check()


@pytest.mark.parametrize("size", [(1, 64), (64, 15), (8, 8)])
def test_frames_too_small_to_be_restored_are_told_with_both_sizes(size: tuple[int, int]) -> None:
    height, width = size
    header = Header(9, 1, height, width, np.dtype(np.uint8), 255.0, None, False, {})
    with pytest.raises(BadCapture, match=rf"{width} x {height} pixels; at least 16 x 16"):
        check_size(Path("a.ser"), header)


def test_the_smallest_frames_pass() -> None:
    smallest = Header(9, 1, 16, 16, np.dtype(np.uint8), 255.0, None, False, {})
    check_size(Path("a.ser"), smallest)
    with pytest.raises(BadCapture, match="16 x 15 pixels"):
        check_size(Path("a.ser"), replace(smallest, height=15))


def test_a_dark_with_pixels_that_are_not_finite_is_named_with_their_number() -> None:
    mean = np.ones((1, 4, 5))
    check_finite(Path("dark.fits"), "dark", mean)
    mean[0, 1, 2:4] = np.nan, np.inf
    with pytest.raises(BadCapture, match=r"dark\.fits: 2 of 20 pixels of the dark are not finite"):
        check_finite(Path("dark.fits"), "dark", mean)


def test_a_name_can_always_be_printed(tmp_path: Path) -> None:
    write_ser(tmp_path / "a.ser", FRAMES, 8)
    path = (tmp_path / "a.ser").rename(tmp_path / os.fsdecode(b"j\xff.ser"))
    assert capture_at(path).name == "j\N{REPLACEMENT CHARACTER}.ser"
