"""Video: which pixels, which gamma, which times."""

import os
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from storage.captures.readers import Header, open_capture
from storage.errors import BadCapture

GREY = np.random.default_rng(5).integers(0, 256, (5, 16, 20)).astype(np.uint8)


def encoded(path: Path, codec: str, pixels: str, frames: NDArray[Any], created: str = "") -> Path:
    """frames (frame, y, x) or (frame, y, x, 3); grey deeper than 8 bits is written code by code."""
    source = "rgb24" if frames.ndim == 4 else pixels
    with av.open(str(path), "w") as container:
        if created:
            container.metadata["creation_time"] = created
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pixels
        for codes in frames:
            if frames.ndim == 4 or pixels == "gray":
                frame = av.VideoFrame.from_ndarray(codes, format=source)
            else:
                frame = av.VideoFrame(codes.shape[1], codes.shape[0], pixels)
                lines = np.zeros((codes.shape[0], frame.planes[0].line_size), np.uint8)
                lines[:, : codes.shape[1] * 2] = codes.view(np.uint8)
                frame.planes[0].update(lines.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path) -> tuple[Header, NDArray[Any], NDArray[np.float64] | None]:
    with open_capture(path) as capture:
        return capture.header, np.concatenate(list(capture.blocks(2))), capture.timestamps


def test_raw_grey_avi_is_linear_and_exact(tmp_path: Path) -> None:
    header, raw, times = read(encoded(tmp_path / "a.avi", "rawvideo", "gray", GREY))
    assert np.array_equal(raw[:, 0], GREY)
    assert (header.gamma, header.full_scale, header.frames, times) == (False, 255.0, 5, None)
    assert header.meta["codec"] == "rawvideo"


@pytest.mark.parametrize(("pixels", "bits"), [("gray10le", 10), ("gray12le", 12), ("gray16le", 16)])
def test_deep_grey_keeps_its_codes(tmp_path: Path, pixels: str, bits: int) -> None:
    deep = np.random.default_rng(6).integers(0, 1 << bits, (3, 16, 20)).astype("<u2")
    header, raw, _ = read(encoded(tmp_path / "a.mkv", "ffv1", pixels, deep))
    assert np.array_equal(raw[:, 0], deep)
    assert header.dtype == np.uint16
    assert (header.full_scale, header.gamma) == ((1 << bits) - 1, False)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mp4", "libx264", "yuv420p"), ("a.mov", "mpeg4", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p")],
)
def test_consumer_video_is_rgb_and_gamma_encoded(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    flat = np.full((4, 16, 32, 3), (200, 100, 50), np.uint8)
    header, raw, _ = read(encoded(tmp_path / name, codec, pixels, flat))
    assert header.dtype == np.uint8
    assert (header.shape, header.gamma) == ((3, 16, 32), True)
    assert len(raw) == 4
    np.testing.assert_allclose(raw.mean((0, 2, 3)), (200, 100, 50), atol=6)


def test_raw_colour_is_exact_and_gamma_encoded(tmp_path: Path) -> None:
    rgb = np.stack([GREY, GREY // 2, GREY // 3], axis=-1)
    header, raw, _ = read(encoded(tmp_path / "a.avi", "rawvideo", "bgr24", rgb))
    assert np.array_equal(raw, rgb.transpose(0, 3, 1, 2))
    assert header.gamma


def test_8_bit_mono_avi_of_a_grey_palette_is_one_upright_linear_channel(tmp_path: Path) -> None:
    def chunk(tag: bytes, data: bytes) -> bytes:
        return tag + struct.pack("<I", len(data)) + data

    n, h, w = GREY.shape
    main = struct.pack("<14I", 40000, 0, 0, 16, n, 0, 1, h * w, w, h, 0, 0, 0, 0)
    stream = b"vidsDIB " + struct.pack("<IHHIIIIIIiI4H", 0, 0, 0, 0, 1, 25, 0, n, h * w, -1, 0, 0, 0, w, h)
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    bitmap = struct.pack("<IiiHHIIiiII", 40, w, h, 1, 8, 0, h * w, 0, 0, 256, 0) + palette
    lists = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", bitmap))
    frames = b"".join(chunk(b"00db", frame[::-1].tobytes()) for frame in GREY)  # bitmaps are stored bottom-up
    body = b"AVI " + chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + lists) + chunk(b"LIST", b"movi" + frames)
    (tmp_path / "a.avi").write_bytes(chunk(b"RIFF", body))
    header, raw, _ = read(tmp_path / "a.avi")
    assert (header.channels, header.gamma) == (1, False)
    assert np.array_equal(raw[:, 0], GREY)


def raw_avi(path: Path, code: bytes, frames: NDArray[Any]) -> Path:
    """An AVI as capture programs write raw frames: one chunk each, the code in both headers."""

    def chunk(tag: bytes, data: bytes) -> bytes:
        return tag + struct.pack("<I", len(data)) + data

    (n, h, w), size = frames.shape, frames[0].nbytes
    main = struct.pack("<14I", 40000, 0, 0, 16, n, 0, 1, size, w, h, 0, 0, 0, 0)
    stream = b"vids" + code + struct.pack("<IHHIIIIIIiI4H", 0, 0, 0, 0, 1, 25, 0, n, size, -1, 0, 0, 0, w, h)
    bitmap = struct.pack("<IiiHH4sIiiII", 40, w, h, 1, 8 * frames.itemsize, code, size, 0, 0, 0, 0)
    lists = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", bitmap))
    body = b"AVI " + chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + lists)
    body += chunk(b"LIST", b"movi" + b"".join(chunk(b"00db", frame.tobytes()) for frame in frames))
    path.write_bytes(chunk(b"RIFF", body))
    return path


@pytest.mark.parametrize(
    ("code", "mosaic"),
    [(b"Y800", None), (b"RGGB", "RGGB"), (b"GRBG", "GRBG"), (b"GBRG", "GBRG"), (b"BA81", "BGGR")],
)
def test_raw_8_bit_avi_keeps_its_bytes_and_says_its_mosaic(tmp_path: Path, code: bytes, mosaic: str | None) -> None:
    header, raw, _ = read(raw_avi(tmp_path / "a.avi", code, GREY))
    assert np.array_equal(raw[:, 0], GREY)
    assert (header.bayer, header.gamma, header.channels, header.full_scale) == (mosaic, False, 1, 255.0)


def test_a_code_that_nobody_knows_is_named_as_the_fault(tmp_path: Path) -> None:
    with pytest.raises(BadCapture, match=r"knows no decoder.*Y800"):
        read(raw_avi(tmp_path / "a.avi", b"XYZ1", GREY))


def test_gif_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + bytes(100))
    with pytest.raises(BadCapture, match=r"256 colours.*the video it was made from"):
        read(tmp_path / "a.gif")


def test_times_only_where_the_container_knows_when_it_was_made(tmp_path: Path) -> None:
    flat = np.full((4, 16, 32, 3), 90, np.uint8)
    path = encoded(tmp_path / "a.mp4", "mpeg4", "yuv420p", flat, "2024-01-02T03:04:05.000000Z")
    header, raw, times = read(path)
    assert times is not None
    assert header.frames == len(raw) == 4
    np.testing.assert_allclose(times - 1704164645, np.arange(4) / 25, rtol=0, atol=1e-6)


def test_damaged_packets_cost_their_frames_only(tmp_path: Path) -> None:
    flat = np.random.default_rng(7).integers(0, 255, (6, 32, 32, 3)).astype(np.uint8)
    path = encoded(tmp_path / "a.avi", "mjpeg", "yuvj420p", flat)
    data = bytearray(path.read_bytes())
    third, fourth = [i for i in range(len(data)) if data[i : i + 3] == b"\xff\xd8\xff"][2:4]
    data[third : fourth - 8] = bytes(fourth - 8 - third)  # 8 bytes: the head of the next packet
    path.write_bytes(data)
    _, raw, _ = read(path)
    assert len(raw) == 5


def test_cut_mp4_and_video_without_frames_are_refused(tmp_path: Path) -> None:
    flat = np.full((4, 16, 32, 3), 90, np.uint8)
    path = encoded(tmp_path / "a.mp4", "mpeg4", "yuv420p", flat)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadCapture, match=r"a\.mp4.*(cut short|no frame).*again"):
        read(path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(BadCapture, match="no video stream"):
        read(tmp_path / "a.mkv")


@pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile b.avi\n", "#EXTM3U\n#EXTINF:1,\nb.avi\n"])
@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mkv"])
def test_a_playlist_leads_nowhere(tmp_path: Path, text: str, name: str) -> None:
    encoded(tmp_path / "b.avi", "rawvideo", "gray", GREY)
    (tmp_path / name).write_text(text)
    with pytest.raises(BadCapture, match=r"cannot be opened as video|no video stream"):
        read(tmp_path / name)


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.avi", "rawvideo", "gray", GREY).rename(tmp_path / os.fsdecode(b"\xff\xfe.avi"))
    assert np.array_equal(read(path)[1][:, 0], GREY)


def test_a_count_that_the_bytes_cannot_hold_is_not_believed(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.avi", "rawvideo", "gray", GREY)
    data = bytearray(path.read_bytes())
    at = data.find(b"strh") + 40
    data[48:52] = data[at : at + 4] = struct.pack("<I", 2**31 - 1)
    path.write_bytes(data)
    header, raw, _ = read(path)
    assert header.frames is None
    assert np.array_equal(raw[:, 0], GREY)


def test_a_table_of_more_samples_than_bytes_is_refused(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.mp4", "mpeg4", "yuv420p", np.full((4, 16, 32, 3), 90, np.uint8))
    data = bytearray(path.read_bytes())
    at = data.find(b"stsz") + 8
    data[at : at + 8] = struct.pack(">II", 1, 2**31)
    path.write_bytes(data)
    with pytest.raises(BadCapture, match="claims more frames than it has bytes"):
        read(path)
