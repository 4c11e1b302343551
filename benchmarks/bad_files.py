"""Makers of bad captures, one for each kind: `CAPTURES[name](rng, folder)` leaves a file that no camera program writes."""

import bz2
import gzip
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from astropy.io import fits
from good_files import GOOD, SHAPE, Rng, fits_cube, frames, ser, tiff, video
from PIL import Image

from storage.captures.readers.ser import write_ser

HUGE = (0, 1, -1, 2, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 10**6, 7)


def damaged(rng: Rng, folder: Path) -> None:
    """A good file of any format, with bytes changed, cut, repeated or removed."""
    name = str(rng.choice(list(GOOD)))
    path = GOOD[name](rng, folder / f"a{name[1:]}")
    damage(rng, path)


def damage(rng: Rng, path: Path) -> None:
    """Change, cut, repeat or remove bytes of a file."""
    data = bytearray(path.read_bytes())
    way, near = rng.integers(5), min(len(data), int(rng.choice([64, 400, 3000, len(data)])))
    if way == 0:
        for at in rng.integers(0, near, int(rng.integers(1, 30))):
            data[at] = rng.integers(256)
    elif way == 1:
        del data[rng.integers(near) :]
    elif way == 2:
        at = int(rng.integers(max(near - 4, 1)))
        data[at : at + 4] = struct.pack(rng.choice(["<i", ">i"]), int(rng.choice(HUGE)))
    elif way == 3:
        start = int(rng.integers(near))
        del data[start : start + int(rng.integers(1, 500))]
    else:
        start = int(rng.integers(near))
        data[start:start] = data[: int(rng.integers(1, 3000))] if rng.random() < 0.5 else rng.bytes(200)
    path.write_bytes(bytes(data))


def ser_header(rng: Rng, folder: Path) -> None:
    """A SER header of any numbers."""
    data = bytearray(ser(rng, folder / "a.ser").read_bytes())
    for at in rng.choice([14, 18, 22, 26, 30, 34, 38], 2):
        struct.pack_into("<i", data, int(at), int(rng.choice(HUGE)))
    struct.pack_into("<2q", data, 162, *rng.integers(-(2**62), 2**62, 2).tolist())
    (folder / "a.ser").write_bytes(data)


def fits_cards(rng: Rng, folder: Path) -> None:
    """A FITS file whose cards say what cannot be."""
    path = fits_cube(rng, folder / "a.fits")
    data = path.read_bytes()
    cards = [data[at : at + 80] for at in range(0, 2880, 80)]
    for _ in range(int(rng.integers(1, 4))):
        at, key = int(rng.integers(0, 14)), cards[int(rng.integers(0, 14))][:8]
        values = ["-1", "0", "3", "1E400", "NaN", "'", "99999999999999999999", "T", "'text'", "(1, 2)", "1000000"]
        cards[at] = (
            (key + f"= {rng.choice(values):>20}".encode()).ljust(80)[:80] if rng.random() < 0.8 else b"\xff" * 80
        )
    if rng.random() < 0.2:
        cards = [card for card in cards if not card.startswith(b"END")]
    path.write_bytes(b"".join(cards) + data[2880:])


def archive(rng: Rng, folder: Path) -> None:
    """An archive under the name of a capture."""
    raw = fits_cube(rng, folder / "x.tmp").read_bytes() + bytes(int(rng.choice([0, 50_000_000])))
    (folder / "x.tmp").unlink()
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.fits", raw)
    packed = [gzip.compress(raw, 1), bz2.compress(raw, 1), lzma.compress(raw, preset=0), box.getvalue()]
    data = packed[rng.integers(4)]
    name = str(rng.choice(["a.fits", "a.fit", "a.ser", "a.avi", "a.h5", "a.fz"]))
    (folder / name).write_bytes(data if rng.random() < 0.7 else data[: len(data) // 2])


def wrong_name(rng: Rng, folder: Path) -> None:
    """A file of one format under the name of another, or text, or nothing."""
    (folder / "secret.txt").write_text("secret")
    contents = [
        b"ffconcat version 1.0\nfile secret.txt\nfile b.avi\n", b"#EXTM3U\n#EXTINF:1,\nsecret.txt\n", b"", b"\0" * 5000,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(secret.txt) run\n", b"GIF89a" + rng.bytes(300),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>", rng.bytes(4000), b"RIFF\0\0\0\0AVI " + rng.bytes(900),
        b"\x89PNG\r\n\x1a\n" + rng.bytes(100), b"II*\0" + rng.bytes(500), b"\xff\xd8\xff" + rng.bytes(500),
        b"\0\0\0\x18ftypmp42" + rng.bytes(800), b"\x1aE\xdf\xa3" + rng.bytes(800), b"SIMPLE  =" + rng.bytes(3000),
        b"\x89HDF\r\n\x1a\n" + rng.bytes(3000), b"LUCAM-RECORDER" + rng.bytes(9000),
    ]  # fmt: skip
    name = str(rng.choice(["a.ser", "a.avi", "a.mov", "a.mkv", "a.fits", "a.tif", "a.h5"]))
    (folder / name).write_bytes(contents[rng.integers(len(contents))])


def pictures(rng: Rng, folder: Path) -> None:
    """A folder of frames of which one is not what it should be."""
    inner = folder / "a"
    inner.mkdir()
    suffix = str(rng.choice([".png", ".tif", ".jpg"]))
    for number, codes in enumerate(frames(rng)):
        Image.fromarray(codes).save(inner / f"f{number}{suffix}")
    victim = inner / f"f{rng.integers(SHAPE[0])}{suffix}"
    way = rng.integers(6)
    if way == 0:
        damage(rng, victim)
    elif way == 1:
        victim.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    elif way == 2:
        Image.fromarray(np.zeros((3, 5), np.uint8)).save(victim.with_suffix(".gif"))
        victim.with_suffix(".gif").rename(victim)
    elif way == 3:
        victim.write_bytes(_png_bomb(int(rng.choice([20_000, 60_000, 2**31 - 1])), deep=bool(rng.integers(2))))
    elif way == 4:
        victim.unlink()
        victim.symlink_to("/dev/zero" if rng.random() < 0.5 else victim.name)
    else:
        victim.unlink()
        os.mkfifo(victim)


def _png_bomb(side: int, deep: bool) -> bytes:
    def chunk(tag: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))

    head = struct.pack(">IIBBBBB", side, side, 16 if deep else 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )


def tiffs(rng: Rng, folder: Path) -> None:
    """TIFF with impossible tags: no width, complex numbers, directories in a circle, pictures elsewhere."""
    path, way = folder / "a.tif", rng.integers(5)
    if way == 0:
        tifffile.imwrite(path, frames(rng).astype(np.complex64))
        return
    if way == 1:
        xml = '<OME><Image><Pixels SizeX="24" SizeY="20" SizeZ="1" SizeT="9" SizeC="1" Type="uint16" DimensionOrder="XYZTC">'
        xml += '<TiffData><UUID FileName="secret.tif">urn:uuid:1</UUID></TiffData></Pixels></Image></OME>'
        tifffile.imwrite(path, frames(rng, np.uint16), photometric="minisblack", description=xml, metadata=None)
        return
    data = bytearray(tiff(rng, path).read_bytes())
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    if way == 2:
        struct.pack_into("<I", data, at + 2 + 12 * count, at)
    else:
        for entry in rng.integers(0, count, int(rng.integers(1, 3))):
            field = int(rng.choice([0, 2, 4, 8]))
            value = int(rng.choice(HUGE)) & 0xFFFFFFFF
            where = at + 2 + 12 * int(entry) + field
            data[where : where + 4] = struct.pack("<I", value)
    path.write_bytes(data)


def hdf5s(rng: Rng, folder: Path) -> None:
    """HDF5 that points elsewhere, claims what is not there, or is nested without end."""
    (folder / "secret.bin").write_bytes(rng.bytes(9999))
    way, space = rng.integers(9), (SHAPE[0] * SHAPE[1] * SHAPE[2])
    with h5py.File(folder / "a.h5", "w") as file:
        if way == 0:
            file.create_dataset("frames", SHAPE, np.uint8, external=[(str(folder / "secret.bin"), 0, space)])
        elif way == 1:
            layout = h5py.VirtualLayout(SHAPE, np.uint8)
            layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", SHAPE)
            file.create_virtual_dataset("frames", layout)
        elif way == 2:
            file["frames"] = h5py.ExternalLink(str(folder / "other.h5"), "x")
            file["a"] = h5py.SoftLink("/b")
            file["b"] = h5py.SoftLink("/a")
        elif way == 3:
            file.create_dataset("frames", (10**6, 4000, 4000), np.uint16, chunks=(1, 100, 100), compression="gzip")
        elif way == 4:
            file.create_dataset("frames", (1, 2**17, 2**17), np.float32, chunks=(1, 2**14, 2**14), compression="gzip")
        elif way == 5:
            group: Any = file
            for _ in range(int(rng.choice([40, 1500]))):
                group = group.create_group("g")
            group["loop"] = file["/"]
        elif way == 6:
            file["frames"] = frames(rng).astype(rng.choice([np.complex64, np.float16, np.int64]))
            file["timestamps"] = h5py.SoftLink("/frames")
        elif way == 7:
            file["frames"] = frames(rng)
            file["frames"].attrs["full_scale"] = str(rng.choice(["many", "nan", "-1", "1e999"]))
            file["frames"].attrs["bayer"] = np.arange(7)
            file["timestamps"] = h5py.Empty("f")
        else:
            file["frames"] = h5py.Empty("u1")
            file["x"] = np.zeros(3, [("a", "u1"), ("b", "f4")])


def claims(rng: Rng, folder: Path) -> None:
    """Video that claims frames without number."""
    path = video(rng, folder / f"a{rng.choice(['.avi', '.mp4'])}")
    data = bytearray(path.read_bytes())
    count = struct.pack(">I" if path.suffix == ".mp4" else "<I", int(rng.choice([2**31 - 1, 2**31, 10**8, 2**32 - 1])))
    if path.suffix == ".avi":
        data[48:52] = count
        at = data.find(b"strh")
        data[at + 40 : at + 44] = count
    else:
        at = data.find(b"stsz")
        data[at + 8 : at + 16] = (struct.pack(">I", 1) if rng.random() < 0.7 else data[at + 8 : at + 12]) + count
        if (more := data.find(b"stsc")) > 0 and rng.random() < 0.7:
            data[more + 16 : more + 20] = count
    path.write_bytes(data)


def small(rng: Rng, folder: Path) -> None:
    """Frames of a few pixels."""
    shape = (SHAPE[0], *[(1, 1), (2, 3), (8, 8), (1, 64), (64, 1), (15, 64), (4, 4)][rng.integers(7)])
    codes = frames(rng, np.uint8, shape)
    if rng.random() < 0.5:
        write_ser(folder / "a.ser", codes, 8)
    else:
        fits.PrimaryHDU(codes).writeto(folder / "a.fits")


CAPTURES: dict[str, Callable[[Rng, Path], None]] = {
    "damaged": damaged, "ser": ser_header, "fits": fits_cards, "archive": archive, "wrong_name": wrong_name, "pictures": pictures,
    "tiff": tiffs, "hdf5": hdf5s, "damaged_again": damaged, "claims": claims, "small": small,
}  # fmt: skip
