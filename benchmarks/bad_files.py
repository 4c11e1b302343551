"""Makers of bad inputs, one for each kind: `KINDS[name](rng, folder)` leaves the night's folder as nobody should."""

import bz2
import gzip
import io
import lzma
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import tifffile
from astropy.io import fits
from PIL import Image

from storage.captures.readers.ser import write_ser

Rng = np.random.Generator
SHAPE = (6, 20, 24)
HUGE = (0, 1, -1, 2, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 10**6, 7)


def frames(rng: Rng, dtype: Any = np.uint8, shape: tuple[int, ...] = SHAPE) -> Any:
    """Frames that would be good."""
    return rng.integers(20, 200, shape).astype(dtype)


def ser(rng: Rng, path: Path) -> Path:
    write_ser(path, frames(rng, np.uint16), 12, 1.7e9 + np.arange(SHAPE[0]))
    return path


def fits_cube(rng: Rng, path: Path, **cards: Any) -> Path:
    hdu = fits.PrimaryHDU(frames(rng, np.uint16))
    hdu.header["DATE-OBS"] = "2026-11-20T22:00:00"
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


def fits_packed(rng: Rng, path: Path) -> Path:
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(frames(rng, np.int16))]).writeto(path)
    return path


def video(rng: Rng, path: Path) -> Path:
    codec, pixels = {".avi": ("rawvideo", "gray"), ".mp4": ("mpeg4", "yuv420p")}.get(path.suffix, ("ffv1", "gray"))
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = SHAPE[1], SHAPE[2], pixels
        for codes in frames(rng):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(codes, format="gray")))
        container.mux(stream.encode())
    return path


def tiff(rng: Rng, path: Path) -> Path:
    tifffile.imwrite(path, frames(rng, np.uint16), photometric="minisblack")
    return path


def hdf5(rng: Rng, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=frames(rng), chunks=(1, *SHAPE[1:]), compression="gzip")
        file["timestamps"] = np.arange(SHAPE[0], dtype=float)
        file["frames"].attrs["camera"] = "x"
    return path


GOOD: dict[str, Callable[[Rng, Path], Path]] = {
    "a.ser": ser, "a.fits": fits_cube, "b.fits": fits_packed, "a.avi": video, "a.mp4": video, "a.mkv": video,
    "a.tif": tiff, "a.h5": hdf5,
}  # fmt: skip


def damaged(rng: Rng, folder: Path) -> None:
    """A good file of any format, with bytes changed, cut, repeated or removed."""
    name = str(rng.choice(list(GOOD)))
    path = GOOD[name](rng, folder / f"a{name[1:]}")
    _damage(rng, path)


def _damage(rng: Rng, path: Path) -> None:
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
        _damage(rng, victim)
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


def settings(rng: Rng, folder: Path) -> None:
    """Settings beside a capture, or the user's own, that are none."""
    ser(rng, folder / "a.ser")
    deep, keys = int(rng.choice([300, 3000, 30_000])), ".".join("a" * int(rng.choice([100, 30_000])))
    texts = [
        "a = " + "[" * deep + "]" * deep, "a = " + "{b = " * deep + "1" + "}" * deep, f"{keys} = 1", "[" * deep,
        "[camera]\ndark = 'a\\u0000b'", '[camera]\ndark = "a\\u0000b"', "[camera]\ndark = '/dev/zero'",
        "[camera]\ndark = '../../../../etc/passwd'", "[camera]\ndark = 'loop.fits'", "camera = 3", "[[camera]]", "rounds = 3",
        "[[rounds]]\npsfs = 3", "[[rounds]]\n[rounds.psfs]\nmodes = 9", "psfs = []", "[telescope]\nwavelength_nm = []",
        "[telescope]\naperture_m = 1e400\npixel_scale_arcsec = nan", f"x = {'9' * 9000}", "x = 2026-99-99", "\ufeff[align]",
        "[night]\nnotify = 'touch x'", "a = '" + "x" * 200_000 + "'", "[evaluate]\nsteps = " + "-" * 3000,
    ]  # fmt: skip
    (folder / "loop.fits").symlink_to("loop.fits")
    text = texts[rng.integers(len(texts))].encode()
    content = text if rng.random() < 0.9 else rng.bytes(500)
    (folder / str(rng.choice(["stillsky.toml", "user.toml"]))).write_bytes(content)


def logs(rng: Rng, folder: Path) -> None:
    """A capture program's log that tells what it should not."""
    ser(rng, folder / "a.ser")
    keys = [
        "Date",
        "Date_format",
        "Start",
        "Start(UT)",
        "LT",
        "Shutter",
        "Exposure",
        "Resolution",
        "FocalLength",
        "Filter",
    ]
    keys += ["Profile", "StartCapture", "TimeStamp", "Camera", "Object", "[X]", "=", "==", "\u00b2"]
    values = [
        "ddddMM",
        "ddMMyyyyyy",
        "(((",
        "[a-",
        "\\",
        " " * 60_000,
        "9" * 5000,
        "1e999",
        "nan",
        "-1",
        "0",
        "",
        '0.1"',
    ]
    values += [
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59+00:00",
        "UT -99999h",
        "UT 1e308h",
        "] " * 30_000,
        "\u00b2\u00b2",
    ]
    values += [
        "080619",
        "ddMMyy",
        "1" * 10,
        "(" * 3000,
        "5ms" + " " * 30_000 + "(",
        "\x00",
        "../../x",
        "$(touch x)",
        "R,R",
    ]
    lines = [f"{rng.choice(keys)}={rng.choice(values)}" for _ in range(int(rng.integers(1, 30)))]
    text = "\n".join([str(rng.choice(["FireCapture v2.6", "[ZWO]", " " * 20_000, "\u00e9" * 9])), *lines])
    encoding = str(rng.choice(["utf-8", "utf-16", "utf-8-sig", "utf-32"]))
    data = text.encode(encoding, "replace")
    (folder / str(rng.choice(["a.txt", "a.CameraSettings.txt"]))).write_bytes(data[: int(rng.choice([7, 301, 10**7]))])


def calibration(rng: Rng, folder: Path) -> None:
    """A dark or a flat that is none."""
    ser(rng, folder / "a.ser")
    name, mean = str(rng.choice(["dark", "flat"])), frames(rng, np.float32)[0]
    way = rng.integers(5)
    if way == 0:
        mean[rng.integers(20), rng.integers(24)] = rng.choice([np.nan, np.inf, -np.inf])
    elif way == 1:
        mean = mean[:, : int(rng.integers(1, 24))]
    elif way == 2:
        mean[:] = rng.choice([0, -1, 1e38, np.nan])
    fits.PrimaryHDU(mean).writeto(folder / f"{name}.fits")
    if way == 3:
        _damage(rng, folder / f"{name}.fits")
    elif way == 4:
        (folder / f"{name}.fits").unlink()
    (folder / "stillsky.toml").write_text(f"[camera]\n{name} = '{name}.fits'\n")


def names(rng: Rng, folder: Path) -> None:
    """Names that no system understands."""
    odd = [
        b"\xff\xfe.ser",
        b"a\nb.ser",
        b"a\x1b[31m.ser",
        b"x" * 250 + b".ser",
        "\u202ea.ser".encode(),
        b"-rf.ser",
        b"..ser",
    ]
    odd += [
        b"\xed\xa0\x80.ser",
        b"$(touch x).ser",
        b"a" * 200 + b".SER",
        b" .ser",
        b"9" * 240 + b".ser",
        "\u00b2.ser".encode(),
    ]
    name = os.fsdecode(odd[rng.integers(len(odd))])
    if rng.random() < 0.5:
        ser(rng, folder / "a.ser").rename(folder / name)
    else:
        place = folder / name
        place.mkdir()
        for number, codes in enumerate(frames(rng)):
            Image.fromarray(codes).save(place / f"{number}.png")


def special(rng: Rng, folder: Path) -> None:
    """What is no file: pipes, sockets, devices, links in a circle, folders without end."""
    path, way = folder / "a.ser", rng.integers(7)
    if way == 0:
        os.mkfifo(path)
    elif way == 1:
        here = Path.cwd()
        os.chdir(folder)  # a socket's name is short
        socket.socket(socket.AF_UNIX).bind("a.ser")
        os.chdir(here)
    elif way == 2:
        path.symlink_to(str(rng.choice(["/dev/zero", "/dev/stdin", "a.ser", "/proc/self/mem", "/nowhere"])))
    elif way == 3:
        path.mkdir()
        (folder / "stillsky.toml").mkdir()
        (folder / "a.txt").mkdir()
    elif way == 4:
        here = Path.cwd()
        os.chdir(folder)
        for _ in range(int(rng.choice([70, 1200]))):
            Path("d").mkdir()
            os.chdir("d")
        Path("a.ser").write_bytes(b"LUCAM-RECORDER")
        os.chdir(here)
    elif way == 5:
        ser(rng, path)
        os.utime(path, (float(rng.choice([-1e9, 2e11, 0])),) * 2)
        os.mkfifo(folder / "a.txt")
        os.mkfifo(folder / "stillsky.toml")
    else:
        path.write_bytes(b"")
        os.truncate(path, 2**28)


KINDS: dict[str, Callable[[Rng, Path], None]] = {
    "damaged": damaged, "ser": ser_header, "fits": fits_cards, "archive": archive, "wrong_name": wrong_name, "pictures": pictures,
    "tiff": tiffs, "hdf5": hdf5s, "damaged_again": damaged, "claims": claims, "small": small, "settings": settings, "logs": logs,
    "calibration": calibration, "names": names, "special": special,
}  # fmt: skip
