"""The response table, saturation codes, and what a folder of frames is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.captures.readers import Header, fingerprint, folder_frames, response
from storage.captures.readers.base import plain, saturation
from storage.errors import BadCapture


def header(dtype: Any, full_scale: float | None) -> Header:
    return Header(1, 1, 8, 8, np.dtype(dtype), full_scale, None, True, {})


def test_response_of_8_bit_is_srgb() -> None:
    table = response(header(np.uint8, 255.0))
    assert table.shape == (256,)
    assert table.dtype == np.float32
    assert (table[0], table[255]) == (0, 255)
    assert np.all(np.diff(table) > 0)
    assert table[188] / 255 == pytest.approx(0.5029, abs=1e-3)  # middle light is code 188 of sRGB
    assert table[10] == pytest.approx(10 / 12.92, rel=1e-5)


def test_response_of_10_bit_covers_every_16_bit_code() -> None:
    table = response(header(np.uint16, 1023.0))
    assert table.shape == (65536,)
    assert table[1023] == table[65535] == 1023


def test_response_of_floats_is_refused() -> None:
    with pytest.raises(ValueError, match="linear"):
        response(header(np.float32, None))


@pytest.mark.parametrize(
    ("codes", "depth", "code"),
    [
        ([0, 17, 4001], 12, 4095),
        ([0, 16, 64000], 12, 65520),
        ([0, 17, 64001], 16, 65535),
        ([0, 16 * 5, 16 * 4000], 16, 65520),
        ([0, 64 * 5, 64 * 1001], 16, 65472),
        ([0, 0, 0], 16, 65535),
        ([0, 0, 0], 14, 16383),
    ],
)
def test_saturation_is_the_largest_code_the_stored_bits_can_hold(codes: list[int], depth: int, code: int) -> None:
    assert saturation(np.array(codes, np.uint16), depth) == code


def test_saturation_of_bytes() -> None:
    assert saturation(np.array([3], np.uint8), 8) == 255


def test_plain_numbers() -> None:
    assert plain(np.array([1, 2], ">u2")).dtype == np.uint16
    assert plain(np.array([-1, 2], ">i2")).tolist() == [-1.0, 2.0]
    assert plain(np.array([1.5], ">f8")).dtype == np.float32
    assert plain(np.array([True, False])).tolist() == [255, 0]


def touched(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).touch()
    return [p.name for p in folder_frames(folder)]


def test_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    assert touched(tmp_path, "f10.png", "f2.png", "f1.PNG") == ["f1.PNG", "f2.png", "f10.png"]


def test_folder_is_of_its_most_frequent_kind(tmp_path: Path) -> None:
    assert touched(tmp_path, "a1.fit", "a2.fits", "preview.jpg", "notes.txt", ".a3.fit") == ["a1.fit", "a2.fits"]


def test_calibration_frames_are_no_frames(tmp_path: Path) -> None:
    assert touched(tmp_path, "m1.fits", "m2.fits", "dark.fits", "Flat_1.fits", "master_bias.fits") == [
        "m1.fits",
        "m2.fits",
    ]


def test_folder_of_darks_is_a_capture_of_darks(tmp_path: Path) -> None:
    assert touched(tmp_path, "dark1.fits", "dark2.fits") == ["dark1.fits", "dark2.fits"]


def test_empty_folder_names_what_is_supported(tmp_path: Path) -> None:
    with pytest.raises(BadCapture, match=r"found: nothing.*Supported: SER"):
        folder_frames(tmp_path)
    with pytest.raises(BadCapture, match=r"found: jupiter\.ser.*give one of these"):
        touched(tmp_path, "jupiter.ser")


def test_fingerprint_of_a_folder_is_of_its_frames_only(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"one")
    (tmp_path / "2.png").write_bytes(b"two")
    mark = fingerprint(tmp_path)
    (tmp_path / "notes.txt").write_text("clouds")
    assert fingerprint(tmp_path) == mark
    (tmp_path / "2.png").rename(tmp_path / "3.png")
    assert fingerprint(tmp_path) != mark
