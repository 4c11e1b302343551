"""Picture files: depths, colours, alpha, pages, and a picture that does not belong."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from storage.captures.readers import Header, open_capture
from storage.errors import BadCapture

RNG = np.random.default_rng(8)
GREY = RNG.integers(0, 256, (9, 12)).astype(np.uint8)
RGBA = RNG.integers(0, 256, (9, 12, 4)).astype(np.uint8)
DEEP = RNG.integers(0, 65536, (9, 12, 4)).astype(np.uint16)


def read(path: Path) -> tuple[Header, NDArray[Any]]:
    with open_capture(path) as capture:
        return capture.header, np.concatenate(list(capture.blocks(2)))


def deep_png(path: Path, codes: NDArray[np.uint16], colour: int) -> Path:
    """16 bit PNG of any colour type."""

    def chunk(tag: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in codes)
    head = struct.pack(">IIBBBBB", codes.shape[1], codes.shape[0], 16, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.fromarray(GREY), GREY[None]),
        (Image.merge("LA", [Image.fromarray(RGBA[..., k]) for k in (0, 1)]), RGBA[None, ..., 0]),
        (Image.fromarray(RGBA), RGBA[..., :3].transpose(2, 0, 1)),
        (Image.fromarray(RGBA[..., :3]), RGBA[..., :3].transpose(2, 0, 1)),
        (Image.fromarray(GREY > 99), np.where(GREY > 99, 255, 0)[None]),
    ],
)
def test_8_bit_png_without_its_alpha(tmp_path: Path, picture: Image.Image, expected: NDArray[Any]) -> None:
    picture.save(tmp_path / "a.png")
    header, raw = read(tmp_path)
    assert header.dtype == np.uint8
    assert (header.gamma, header.full_scale) == (True, 255.0)
    assert np.array_equal(raw[0], expected)


def test_palette_is_unfolded(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 2), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.save(tmp_path / "a.png")
    _, raw = read(tmp_path)
    assert raw[0, :, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(("colour", "samples", "channels"), [(0, 1, 1), (2, 3, 3), (4, 2, 1), (6, 4, 3)])
def test_16_bit_png_keeps_its_depth(tmp_path: Path, colour: int, samples: int, channels: int) -> None:
    header, raw = read(deep_png(tmp_path / "a.png", DEEP[..., :samples], colour))
    assert header.dtype == np.uint16
    assert (header.gamma, header.full_scale) == (False, 65535.0)
    assert np.array_equal(raw[0], DEEP[..., :channels].transpose(2, 0, 1))


def test_png_that_says_gamma_1_is_linear(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 100_000))
    Image.fromarray(GREY).save(tmp_path / "a.png", pnginfo=info)
    assert not read(tmp_path)[0].gamma


def test_jpeg_is_gamma_encoded(tmp_path: Path) -> None:
    Image.new("RGB", (16, 8), (200, 100, 50)).save(tmp_path / "a.jpg", quality=95)
    header, raw = read(tmp_path)
    assert header.gamma
    np.testing.assert_allclose(raw.mean((0, 2, 3)), (200, 100, 50), atol=4)


@pytest.mark.parametrize(
    ("stored", "expected", "dtype"),
    [
        (GREY, GREY[None], np.uint8),
        (DEEP[..., 0], DEEP[None, ..., 0], np.uint16),
        (DEEP[..., :3], DEEP[..., :3].transpose(2, 0, 1), np.uint16),
        (DEEP, DEEP[..., :3].transpose(2, 0, 1), np.uint16),
        (DEEP[..., 0] / np.float32(7), DEEP[None, ..., 0] / np.float32(7), np.float32),
    ],
)
def test_tiff_is_linear_and_exact(tmp_path: Path, stored: Any, expected: Any, dtype: Any) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb" if stored.ndim == 3 else "minisblack")
    header, raw = read(tmp_path)
    assert not header.gamma
    assert (header.dtype, raw.dtype) == (dtype, dtype)
    assert np.array_equal(raw[0], expected)


def test_big_endian_planar_and_white_is_zero_tiff(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(DEEP[..., :3].transpose(2, 0, 1))
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", byteorder=">")
    assert np.array_equal(read(tmp_path / "a.tif")[1][0], planes)
    tifffile.imwrite(tmp_path / "b.tif", GREY, photometric="miniswhite")
    assert np.array_equal(read(tmp_path / "b.tif")[1][0, 0], 255 - GREY)


def test_lzw_tiff_is_read_or_refused_never_cut_to_8_bits(tmp_path: Path) -> None:
    Image.fromarray(DEEP[..., 0]).save(tmp_path / "a.tif", compression="tiff_lzw")
    assert np.array_equal(read(tmp_path / "a.tif")[1][0, 0], DEEP[..., 0])
    Image.fromarray(RGBA[..., :3]).save(tmp_path / "b.tif", compression="tiff_lzw")
    assert np.array_equal(read(tmp_path / "b.tif")[1][0], RGBA[..., :3].transpose(2, 0, 1))


def test_pages_of_one_tiff_are_frames(tmp_path: Path) -> None:
    stack = RNG.integers(0, 65536, (5, 9, 12)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    header, raw = read(tmp_path / "a.tif")
    assert header.frames == 5
    assert np.array_equal(raw[:, 0], stack)


def test_natural_order(tmp_path: Path) -> None:
    for k in (1, 2, 10):
        Image.new("L", (4, 3), k).save(tmp_path / f"{k}.png")
    assert read(tmp_path)[1][:, 0, 0, 0].tolist() == [1, 2, 10]


def test_another_shape_or_colour_names_file_and_both_shapes(tmp_path: Path) -> None:
    Image.new("L", (4, 3)).save(tmp_path / "1.png")
    Image.new("L", (5, 3)).save(tmp_path / "2.png")
    with pytest.raises(BadCapture, match=r"2\.png.*\(1, 3, 5\).*\(1, 3, 4\).*remove"):
        read(tmp_path)
    Image.new("RGB", (4, 3)).save(tmp_path / "2.png")
    with pytest.raises(BadCapture, match=r"2\.png.*\(3, 3, 4\).*\(1, 3, 4\)"):
        read(tmp_path)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "1.png")
    Image.fromarray(GREY).save(tmp_path / "2.png")
    path = tmp_path / "2.png"
    path.write_bytes(path.read_bytes()[:80])
    with pytest.raises(BadCapture, match=r"2\.png: damaged.*again"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", b"GIF89a" + bytes(99)]
)
def test_no_other_format_is_opened_under_the_name_of_a_picture(tmp_path: Path, content: bytes) -> None:
    Image.fromarray(GREY).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(content)
    with pytest.raises(BadCapture, match=r"2\.png: damaged, or not what its name says"):
        read(tmp_path)


def test_pages_in_a_circle_are_refused(tmp_path: Path) -> None:
    stack = RNG.integers(0, 65536, (3, 9, 12)).astype(np.uint16)
    for order in "<>":
        tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", byteorder=order)
        data = bytearray((tmp_path / "a.tif").read_bytes())
        (first,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, first)
        struct.pack_into(f"{order}I", data, first + 2 + 12 * entries, first)
        (tmp_path / "a.tif").write_bytes(data)
        with pytest.raises(BadCapture, match="circle"):
            read(tmp_path / "a.tif")


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.complex64))
    with pytest.raises(BadCapture, match="complex64"):
        read(tmp_path / "a.tif")


def test_ome_metadata_opens_no_other_file(tmp_path: Path) -> None:
    xml = '<OME><Image><Pixels SizeX="12" SizeY="9" SizeZ="1" SizeT="9" SizeC="1" Type="uint8" DimensionOrder="XYZTC">'
    xml += '<TiffData><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData></Pixels></Image></OME>'
    tifffile.imwrite(tmp_path / "other.tif", GREY)
    tifffile.imwrite(tmp_path / "a.tif", GREY, description=xml, metadata=None)
    assert np.array_equal(read(tmp_path / "a.tif")[1][:, 0], GREY[None])


@pytest.mark.parametrize("side", [20_000, 60_000])
def test_a_picture_that_claims_more_than_its_bytes_hold_is_refused(tmp_path: Path, side: int) -> None:
    data = bytearray(deep_png(tmp_path / "a.png", DEEP, 6).read_bytes())
    for depth in (8, 16):
        head = struct.pack(">IIBBBBB", side, side, depth, 6, 0, 0, 0)
        data[16:33] = head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(BadCapture, match=r"a\.png.*(claims|pixels).*again"):
            read(tmp_path / "a.png")
