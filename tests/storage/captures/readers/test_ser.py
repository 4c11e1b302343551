"""SER: depths, byte orders, colours, trailers, and files that a camera program left half written."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.captures.readers import Header, open_capture
from storage.captures.readers.ser import write_ser
from storage.errors import BadCapture

EPOCH = 621_355_968_000_000_000


def scene(frames: int = 3, top: float = 4000.0) -> NDArray[np.uint16]:
    """A smooth disc with a little noise."""
    y, x = np.mgrid[:24, :32]
    disc = np.exp(-((y - 11) ** 2 + (x - 15) ** 2) / 60)
    noise = np.random.default_rng(2).normal(0, 0.005, (frames, 24, 32))
    codes: NDArray[np.uint16] = (np.clip(disc + 0.05 + noise, 0, 1.1) / 1.1 * top).astype(np.uint16)
    return codes


def raw_ser(path: Path, data: bytes, frames: int, depth: int, **fields: int) -> Path:
    """A SER file by hand; fields: colour, little, width, height."""
    f = {"colour": 0, "little": 0, "width": 32, "height": 24} | fields
    head = struct.pack("<7i", 0, f["colour"], f["little"], f["width"], f["height"], depth, frames)
    texts = b"Me".ljust(40, b"\0") + b"ASI290".ljust(40) + b"C8\0rubbish".ljust(40, b"\0")
    path.write_bytes(b"LUCAM-RECORDER" + head + texts + struct.pack("<2q", 0, 0) + data)
    return path


def read(path: Path) -> tuple[Header, NDArray[Any], NDArray[np.float64] | None]:
    with open_capture(path) as capture:
        return capture.header, np.concatenate(list(capture.blocks(2))), capture.timestamps


@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("depth", "factor", "full_scale"), [(12, 1, 4095), (12, 16, 65520), (16, 16, 65520)])
def test_byte_order_is_seen_in_the_picture(
    tmp_path: Path, flag: int, order: str, depth: int, factor: int, full_scale: float
) -> None:
    frames = scene() * np.uint16(factor)
    path = raw_ser(tmp_path / "a.ser", frames.astype(f"{order}u2").tobytes(), 3, depth, little=flag)
    header, raw, _ = read(path)
    assert np.array_equal(raw[:, 0], frames)
    assert header.full_scale == full_scale


def test_featureless_frames_are_little_endian(tmp_path: Path) -> None:
    frames = np.random.default_rng(3).poisson(40, (3, 24, 32)).astype(np.uint16)
    _, raw, _ = read(raw_ser(tmp_path / "a.ser", frames.astype("<u2").tobytes(), 3, 16))
    assert np.array_equal(raw[:, 0], frames)


def test_featureless_frames_too_bright_for_their_depth_are_big_endian(tmp_path: Path) -> None:
    frames = np.random.default_rng(3).normal(2000, 100, (3, 24, 32)).astype(np.uint16)
    _, raw, _ = read(raw_ser(tmp_path / "a.ser", frames.astype(">u2").tobytes(), 3, 12))
    assert np.array_equal(raw[:, 0], frames)


def test_header_texts(tmp_path: Path) -> None:
    header, _, _ = read(raw_ser(tmp_path / "a.ser", bytes(24 * 32), 1, 8))
    assert header.meta == {"observer": "Me", "camera": "ASI290", "telescope": "C8"}


@pytest.mark.parametrize(
    ("colour", "pattern"),
    [(0, None), (8, "RGGB"), (9, "GRBG"), (10, "GBRG"), (11, "BGGR"), (16, "CYYM"), (19, "MYYC")],
)
def test_colour_ids_of_one_plane(tmp_path: Path, colour: int, pattern: str | None) -> None:
    header, _, _ = read(raw_ser(tmp_path / "a.ser", bytes(24 * 32), 1, 8, colour=colour))
    assert (header.bayer, header.channels) == (pattern, 1)


@pytest.mark.parametrize(("colour", "order"), [(100, [0, 1, 2]), (101, [2, 1, 0])])
@pytest.mark.parametrize("depth", [8, 16])
def test_rgb_and_bgr_become_red_green_blue(tmp_path: Path, colour: int, order: list[int], depth: int) -> None:
    dtype = np.uint8 if depth == 8 else np.uint16
    frames = np.stack([scene(2, 200), scene(2, 120), scene(2, 60)], axis=1).astype(dtype)
    data = frames[:, order].transpose(0, 2, 3, 1).tobytes()
    header, raw, _ = read(raw_ser(tmp_path / "a.ser", data, 2, depth, colour=colour))
    assert header.shape == (3, 24, 32)
    assert header.bayer is None
    assert np.array_equal(raw, frames)


def test_trailer_is_unix_seconds(tmp_path: Path) -> None:
    ticks = EPOCH + 10_000_000 * 1_700_000_000 + np.array([0, 150_000, 300_000], np.int64)
    data = bytes(3 * 24 * 32) + ticks.astype("<i8").tobytes()
    _, _, times = read(raw_ser(tmp_path / "a.ser", data, 3, 8))
    assert times is not None
    np.testing.assert_allclose(times - 1_700_000_000, [0, 0.015, 0.03], rtol=0, atol=1e-6)


@pytest.mark.parametrize("trailer", [b"", bytes(24), bytes(23), b"\x7f" * 24, np.full(4, EPOCH + 1, "<i8").tobytes()])
def test_trailer_of_nonsense_or_wrong_length_is_ignored(tmp_path: Path, trailer: bytes) -> None:
    _, raw, times = read(raw_ser(tmp_path / "a.ser", bytes(3 * 24 * 32) + trailer, 3, 8))
    assert times is None
    assert len(raw) == 3


def test_truncated_file_gives_its_whole_frames_and_counts_the_others(tmp_path: Path) -> None:
    frames = scene(3)
    data = frames.astype("<u2").tobytes()[:-10]
    header, raw, times = read(raw_ser(tmp_path / "a.ser", data, 5, 12))
    assert header.frames == 2
    assert header.meta["truncated"] == "3"
    assert np.array_equal(raw[:, 0], frames[:2])
    assert times is None


def test_killed_recording_without_a_count_gives_its_frames(tmp_path: Path) -> None:
    header, raw, _ = read(raw_ser(tmp_path / "a.ser", bytes(24 * 32 * 3 + 5), 0, 8))
    assert header.frames == len(raw) == 3


@pytest.mark.parametrize(
    ("data", "fields", "message"),
    [
        (b"", {}, "no whole frame"),
        (bytes(24 * 32 - 1), {}, "no whole frame"),
        (bytes(900), {"width": 0}, "0 x 24 pixels"),
        (bytes(900), {"height": -4}, "32 x -4 pixels"),
        (bytes(900), {"colour": 7}, "unknown colour id 7"),
    ],
)
def test_hopeless_headers_are_refused(tmp_path: Path, data: bytes, fields: dict[str, int], message: str) -> None:
    path = raw_ser(tmp_path / "a.ser", data, 1, 8, **fields)
    with pytest.raises(BadCapture, match=f"{message}.*(record|copy|convert)"):
        read(path)


@pytest.mark.parametrize("depth", [0, 17, 32])
def test_impossible_depths_are_refused(tmp_path: Path, depth: int) -> None:
    with pytest.raises(BadCapture, match=f"of {depth} bits"):
        read(raw_ser(tmp_path / "a.ser", bytes(9999), 1, depth))


def test_wrong_magic_and_headless_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ser"
    path.write_bytes(b"something else" + bytes(500))
    with pytest.raises(BadCapture, match="not a SER capture, which begins with LUCAM-RECORDER"):
        read(path)
    path.write_bytes(b"LUCAM-RECORDER" + bytes(50))
    with pytest.raises(BadCapture, match="ends after 64 of 178"):
        read(path)


@pytest.mark.parametrize(("depth", "channels"), [(8, 1), (8, 3), (12, 1), (16, 3)])
def test_what_is_written_is_read(tmp_path: Path, depth: int, channels: int) -> None:
    dtype = np.uint8 if depth == 8 else np.uint16
    frames = np.repeat(scene(3, 250)[:, None], channels, axis=1).astype(dtype)
    times = np.array([0.0, 0.02, 0.04]) + 1_700_000_000
    write_ser(tmp_path / "a.ser", iter(frames), depth, times, {"telescope": "D=0.25m", "observer": "Ångström"})
    header, raw, back = read(tmp_path / "a.ser")
    assert np.array_equal(raw, frames)
    assert (header.channels, header.full_scale) == (channels, 2**depth - 1)
    assert header.meta == {"telescope": "D=0.25m", "observer": "Ångström"}
    assert back is not None
    np.testing.assert_allclose(back, times, rtol=0, atol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ser"]


def test_mosaic_is_written_with_its_pattern(tmp_path: Path) -> None:
    write_ser(tmp_path / "a.ser", scene(2, 200).astype(np.uint8), 8, bayer="GBRG")
    assert read(tmp_path / "a.ser")[0].bayer == "GBRG"


@pytest.mark.parametrize(
    ("frames", "depth", "times"),
    [
        (np.zeros((2, 4, 4), np.uint16), 8, None),
        (np.zeros((2, 2, 4, 4), np.uint8), 8, None),
        (np.zeros((0, 4, 4), np.uint8), 8, None),
        (np.zeros((2, 4, 4), np.uint8), 40, None),
        (np.zeros((2, 4, 4), np.uint8), 8, np.ones(3)),
    ],
)
def test_failed_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, frames: NDArray[Any], depth: int, times: NDArray[np.float64] | None
) -> None:
    (tmp_path / "a.ser").write_text("old")
    with pytest.raises(ValueError, match=r"need|holds"):
        write_ser(tmp_path / "a.ser", frames, depth, times)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]
