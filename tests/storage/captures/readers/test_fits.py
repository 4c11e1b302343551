"""FITS: axes, numbers, colour, times, compression, folders and cut files."""

import bz2
import gzip
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from storage.captures.readers import Header, open_capture
from storage.errors import BadCapture

CODES = np.random.default_rng(4).integers(0, 65536, (5, 12, 14)).astype(np.uint16)


def read(path: Path, size: int = 2) -> tuple[Header, NDArray[Any], NDArray[np.float64] | None]:
    with open_capture(path) as capture:
        return capture.header, np.concatenate(list(capture.blocks(size))), capture.timestamps


def single(path: Path, data: NDArray[Any], **cards: Any) -> Path:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update({key.replace("_", "-"): value for key, value in cards.items()})
    hdu.writeto(path)
    return path


@pytest.mark.parametrize(
    ("data", "dtype", "full_scale"),
    [
        ((CODES >> 8).astype(np.uint8), np.uint8, 255),
        (CODES, np.uint16, 65535),
        (CODES & 0xFFF0, np.uint16, 65520),
        (CODES.astype(np.int16), np.float32, None),
        (CODES.astype(np.int32) * 3, np.float32, None),
        (CODES / 7, np.float32, None),
    ],
)
def test_every_bitpix_keeps_its_values(tmp_path: Path, data: Any, dtype: Any, full_scale: float | None) -> None:
    header, raw, _ = read(single(tmp_path / "a.fits", data))
    assert raw.dtype == header.dtype == dtype
    assert raw.dtype.isnative
    assert header.full_scale == full_scale
    np.testing.assert_array_equal(raw[:, 0], data.astype(dtype))


def test_scaled_integers_are_the_physical_values(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(CODES[0].astype(np.float64) / 4)
    hdu.scale("int16", bscale=0.25, bzero=8192)
    hdu.writeto(tmp_path / "a.fits")
    header, raw, _ = read(tmp_path / "a.fits")
    assert header.dtype == np.float32
    np.testing.assert_allclose(raw[0, 0], CODES[0] / 4, atol=0.25)


def test_saturate_card_is_believed(tmp_path: Path) -> None:
    assert read(single(tmp_path / "a.fits", CODES, SATURATE=4095))[0].full_scale == 4095


def test_picture_cube_and_colour_cube(tmp_path: Path) -> None:
    assert read(single(tmp_path / "a.fits", CODES[0]))[1].shape == (1, 1, 12, 14)
    colour = np.stack([CODES, CODES // 2, CODES // 3], axis=1)
    header, raw, _ = read(single(tmp_path / "b.fits", colour))
    assert header.shape == (3, 12, 14)
    assert np.array_equal(raw, colour)


def test_three_planes_are_frames_in_a_file_unless_it_says_rgb_and_colours_in_a_folder(tmp_path: Path) -> None:
    assert read(single(tmp_path / "a.fits", CODES[:3]))[1].shape == (3, 1, 12, 14)
    assert read(single(tmp_path / "b.fits", CODES[:3], CTYPE3="RGB"))[1].shape == (1, 3, 12, 14)
    folder = tmp_path / "folder"
    folder.mkdir()
    single(folder / "1.fits", CODES[:3])
    single(folder / "2.fits", CODES[2:])
    assert read(folder)[1].shape == (2, 3, 12, 14)


def test_cube_of_other_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCapture, match="2 channels"):
        read(single(tmp_path / "a.fits", np.zeros((3, 2, 12, 14), np.uint8)))


def test_compressed_and_many_extensions_follow_each_other(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("T", "D", array=np.arange(3))])
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(CODES[:3]), table, fits.ImageHDU(CODES[3]), fits.ImageHDU(CODES[4])]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits.fz")
    header, raw, _ = read(tmp_path / "a.fits.fz")
    assert header.frames == 5
    assert np.array_equal(raw[:, 0], CODES)


@pytest.mark.parametrize(
    ("cards", "pattern"),
    [
        ({}, None),
        ({"BAYERPAT": "RGGB    "}, "RGGB"),
        ({"BAYERPAT": "rggb", "XBAYROFF": 1}, "GRBG"),
        ({"BAYERPAT": "RGGB", "YBAYROFF": 1}, "GBRG"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP"}, "GBRG"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "TOP-DOWN"}, "RGGB"),
        ({"BAYERPAT": "UNKNOWN"}, None),
    ],
)
def test_bayer_pattern_from_the_first_stored_pixel(tmp_path: Path, cards: dict[str, Any], pattern: str | None) -> None:
    assert read(single(tmp_path / "a.fits", CODES, **cards))[0].bayer == pattern


def test_folder_in_natural_order_with_times_and_meta(tmp_path: Path) -> None:
    for k in (1, 2, 10):
        cards = {"DATE_OBS": f"2023-09-07T22:22:{k:02d}.500000", "TELESCOP": "C11", "EXPTIME": 0.015}
        single(tmp_path / f"a{k}.fit", CODES[k % 5], **cards)
    single(tmp_path / "dark.fit", CODES[4])
    header, raw, times = read(tmp_path)
    assert np.array_equal(raw[:, 0], CODES[[1, 2, 0]])
    assert times is not None
    np.testing.assert_allclose(times - 1694125320, [1.5, 2.5, 10.5], rtol=0, atol=1e-6)
    assert (header.meta["telescope"], header.meta["exposure"]) == ("C11", "0.015")


@pytest.mark.parametrize("date", [None, "2023-09-07", "last night"])
def test_one_frame_without_a_time_leaves_all_without(tmp_path: Path, date: str | None) -> None:
    single(tmp_path / "1.fits", CODES[0], DATE_OBS="2023-09-07T22:22:39Z")
    single(tmp_path / "2.fits", CODES[1], **({} if date is None else {"DATE_OBS": date}))
    assert read(tmp_path)[2] is None


def test_another_shape_names_file_and_both_shapes(tmp_path: Path) -> None:
    single(tmp_path / "1.fits", CODES[0])
    single(tmp_path / "2.fits", CODES[0, :8])
    with pytest.raises(BadCapture, match=r"2\.fits.*\(1, 8, 14\).*1\.fits.*\(1, 12, 14\).*remove"):
        read(tmp_path)


def test_another_kind_of_number_names_the_file(tmp_path: Path) -> None:
    single(tmp_path / "1.fits", CODES[0])
    single(tmp_path / "2.fits", CODES[0].astype(np.float32))
    with pytest.raises(BadCapture, match=r"2\.fits.*float32.*uint16"):
        read(tmp_path)


def test_truncated_cube_gives_its_whole_frames(tmp_path: Path) -> None:
    path = single(tmp_path / "a.fits", CODES)
    path.write_bytes(path.read_bytes()[: 2880 + 3 * CODES[0].nbytes + 9])
    header, raw, _ = read(path)
    assert header.frames == 3
    assert header.meta["truncated"] == "2"
    assert np.array_equal(raw[:, 0], CODES[:3])


def test_file_without_a_picture_is_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU().writeto(tmp_path / "a.fits")
    with pytest.raises(BadCapture, match="without a picture"):
        read(tmp_path / "a.fits")


def test_a_large_cube_is_never_loaded_whole(tmp_path: Path) -> None:
    import tracemalloc

    path = single(tmp_path / "a.fits", np.ones((64, 256, 256), np.uint16))  # 8 MiB
    tracemalloc.start()
    with open_capture(path) as capture:
        count = sum(len(block) for block in capture.blocks(2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 64
    assert peak < 4 << 20


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_an_archive_under_the_name_of_a_capture_is_told(tmp_path: Path, pack: Any, name: str) -> None:
    path = single(tmp_path / "a.fits", CODES)
    path.write_bytes(pack(path.read_bytes()))
    with pytest.raises(BadCapture, match=f"packed with {name}: unpack it"):
        read(path)


def test_a_header_without_end_is_refused(tmp_path: Path) -> None:
    path = single(tmp_path / "a.fits", CODES)
    path.write_bytes(path.read_bytes().replace(b"END" + b" " * 77, b" " * 80))
    with pytest.raises(BadCapture, match=r"no end of the header|Header missing END"):
        read(path)


@pytest.mark.parametrize("card", [b"BITPIX  =                   17", b"NAXIS1  =                   -3", b"\xff" * 80])
def test_cards_that_cannot_be_are_told(tmp_path: Path, card: bytes) -> None:
    path = single(tmp_path / "a.fits", CODES)
    data = path.read_bytes()
    at = data.find(card[:8]) if card[:1] != b"\xff" else data.find(b"BITPIX")
    path.write_bytes(data[:at] + card.ljust(80) + data[at + 80 :])
    with pytest.raises(BadCapture, match=r"a\.fits"):
        read(path)
