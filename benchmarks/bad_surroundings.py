"""Makers of what is bad around a capture: settings, logs, calibration frames, names, and what is no file at all."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from bad_files import damage
from good_files import Rng, frames, ser
from PIL import Image


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
        "Date", "Date_format", "Start", "Start(UT)", "LT", "Shutter", "Exposure", "Resolution", "FocalLength",
        "Filter",
    ]  # fmt: skip
    keys += ["Profile", "StartCapture", "TimeStamp", "Camera", "Object", "[X]", "=", "==", "\u00b2"]
    values = [
        "ddddMM", "ddMMyyyyyy", "(((", "[a-", "\\", " " * 60_000, "9" * 5000, "1e999", "nan", "-1", "0", "",
        '0.1"',
    ]  # fmt: skip
    values += [
        "0001-01-01T00:00:00", "9999-12-31T23:59:59+00:00", "UT -99999h", "UT 1e308h", "] " * 30_000,
        "\u00b2\u00b2",
    ]  # fmt: skip
    values += [
        "080619", "ddMMyy", "1" * 10, "(" * 3000, "5ms" + " " * 30_000 + "(", "\x00", "../../x", "$(touch x)",
        "R,R",
    ]  # fmt: skip
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
        damage(rng, folder / f"{name}.fits")
    elif way == 4:
        (folder / f"{name}.fits").unlink()
    (folder / "stillsky.toml").write_text(f"[camera]\n{name} = '{name}.fits'\n")


def names(rng: Rng, folder: Path) -> None:
    """Names that no system understands."""
    odd = [
        b"\xff\xfe.ser", b"a\nb.ser", b"a\x1b[31m.ser", b"x" * 250 + b".ser", "\u202ea.ser".encode(),
        b"-rf.ser", b"..ser",
    ]  # fmt: skip
    odd += [
        b"\xed\xa0\x80.ser", b"$(touch x).ser", b"a" * 200 + b".SER", b" .ser", b"9" * 240 + b".ser",
        "\u00b2.ser".encode(),
    ]  # fmt: skip
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


SURROUNDINGS: dict[str, Callable[[Rng, Path], None]] = {
    "settings": settings, "logs": logs, "calibration": calibration, "names": names, "special": special,
}  # fmt: skip
