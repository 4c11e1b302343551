"""FITS: one file of pictures or cubes in one or many extensions, compressed or not, or a folder of such files."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.captures.readers.base import (
    Format,
    Header,
    Raw,
    check_claim,
    check_frame,
    frames_in,
    packed,
    plain,
    saturation,
)
from storage.errors import BadCapture

MAX_HEADER_BYTES = 1000 * 2880
"""The first header ends within so many bytes: 36,000 cards."""
_END = b"END" + b" " * 77
_ARCHIVES = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"PK": "zip", b"\xfd7zXZ": "xz", b"\x1f\x9d": "compress"}
SUFFIXES = ((".fits", ".fit", ".fts", ".fz"),)
_META = {
    "observer": ("OBSERVER",),
    "telescope": ("TELESCOP",),
    "camera": ("INSTRUME", "CAMERA"),
    "exposure": ("EXPTIME", "EXPOSURE"),
    "filter": ("FILTER",),
    "gain": ("GAIN",),
    "object": ("OBJECT",),
    "date": ("DATE-OBS",),
    "software": ("SWCREATE", "CREATOR", "SOFTWARE"),
}


@dataclass(frozen=True)
class _Part:
    """The frames of one extension."""

    path: Path
    index: int
    frames: int
    missing: int
    """Frames that the header promises and the file does not have."""
    shape: tuple[int, int, int]
    """Channel, y, x."""
    stack: bool
    """The first axis counts frames."""
    cards: dict[str, Any]

    def read(self, hdu: Any, start: int, stop: int) -> Raw:
        """Frames start .. stop, without reading the others."""
        raw = hdu.section[start:stop] if self.stack else hdu.section[...]
        return plain(np.asarray(raw)).reshape(-1, *self.shape)


@dataclass(frozen=True)
class _Fits:
    """The extensions of one file or of a folder; files are opened one at a time."""

    header: Header
    timestamps: NDArray[np.float64] | None
    parts: list[_Part]

    def blocks(self, size: int) -> Iterator[Raw]:
        return packed(self._frames(size), size)

    def _frames(self, size: int) -> Iterator[Raw]:
        for part in self.parts:
            with _opened(part.path) as hdus:
                for start in range(0, part.frames, size):
                    for frame in part.read(hdus[part.index], start, min(start + size, part.frames)):
                        check_frame(part.path, frame, self.header)
                        yield frame


@contextmanager
def open_fits(path: Path) -> Iterator[_Fits]:
    """Frames in file and extension order, rows as stored. In a folder (3, y, x) is one colour frame, not three."""
    files = frames_in(path, SUFFIXES) if path.is_dir() else [path]
    parts = [part for file in files for part in _parts(file, path.is_dir())]
    if not sum(part.frames for part in parts):
        raise BadCapture(f"{path}: FITS without a picture of two to four axes; choose the file that holds the frames.")
    _check_shapes(parts)
    first = next(part for part in parts if part.frames)
    with _opened(first.path) as hdus:
        sample = first.read(hdus[first.index], 0, 1)
    meta = {name: _card(first.cards, keys) for name, keys in _META.items() if _card(first.cards, keys)}
    if missing := sum(part.missing for part in parts):
        meta["truncated"] = str(missing)
    frames = sum(part.frames for part in parts)
    bayer = _bayer(first.cards, first.shape) if first.shape[0] == 1 else None
    header = Header(frames, *first.shape, sample.dtype, _full_scale(first.cards, sample), bayer, False, meta)
    yield _Fits(header, _timestamps(parts), parts)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A FITS file with its headers read; astropy's warnings (cut files, odd cards) are replaced by stillsky's errors."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    _check_header(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        hdus = fits.open(path, memmap=False)
        len(hdus)
    with hdus:
        yield hdus


def _check_header(path: Path) -> None:
    """A FITS file begins with SIMPLE, and its header ends: astropy would unpack archives and read on for ever."""
    with path.open("rb") as file:
        head = file.read(MAX_HEADER_BYTES)
    if not head.startswith(b"SIMPLE"):
        packed_by = next((name for magic, name in _ARCHIVES.items() if head.startswith(magic)), None)
        remedy = f"packed with {packed_by}: unpack it" if packed_by else "copy or record it again"
        raise BadCapture(f"{path}: not a FITS file, which begins with SIMPLE; {remedy}.")
    if not any(head.startswith(_END, at) for at in range(0, len(head), 80)):
        raise BadCapture(f"{path}: no end of the header in {len(head)} bytes; damaged: copy or record it again.")


def _parts(path: Path, folder: bool) -> list[_Part]:
    """Every extension that holds pictures."""
    found = []
    with _opened(path) as hdus:
        pictures = [i for i, hdu in enumerate(hdus) if hdu.is_image and 2 <= len(hdu.shape) <= 4 and 0 not in hdu.shape]
        for i in pictures:
            cards = dict(hdus[i].header)
            shape = tuple(int(n) for n in hdus[i].shape)
            colour = len(shape) == 3 and shape[0] == 3 and (folder or str(cards.get("CTYPE3", "")).startswith("RGB"))
            if len(shape) == 4 and shape[1] not in (1, 3):
                raise BadCapture(f"{path}: cube of {shape[1]} channels; needed are 1 or 3: write it as (frame, y, x).")
            stack = len(shape) > 2 and not colour
            channels = shape[-3] if colour or len(shape) == 4 else 1
            promised = shape[0] if stack else 1
            part_shape = (channels, shape[-2], shape[-1])
            bits = abs(int(cards.get("BITPIX", 8)))
            packed_frames = promised if type(hdus[i]).__name__ == "CompImageHDU" else 0
            check_claim(path, packed_frames, part_shape, bits // 8, path.stat().st_size)
            frames = min(promised, _whole_frames(path, hdus[i], promised))
            found.append(_Part(path, i, frames, promised - frames, part_shape, stack, cards))
    return found


def _whole_frames(path: Path, hdu: Any, promised: int) -> int:
    """Frames that are there to the last byte; of a compressed extension, what its header says."""
    if type(hdu).__name__ == "CompImageHDU":
        return promised
    stride = int(np.prod(hdu.shape)) // promised * abs(hdu.header["BITPIX"]) // 8
    return int((path.stat().st_size - hdu.fileinfo()["datLoc"]) // stride)


def _check_shapes(parts: list[_Part]) -> None:
    first = parts[0]
    for part in parts:
        if part.shape != first.shape:
            raise BadCapture(
                f"{part.path}: extension {part.index} has frames of (channel, y, x) {part.shape}, {first.path.name} "
                f"of {first.shape}; remove it, or put it into a folder of its own."
            )


def _card(cards: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((str(cards[key]).strip() for key in keys if key in cards), "")


def _full_scale(cards: dict[str, Any], sample: Raw) -> float | None:
    """The SATURATE card, else the largest code the stored bits can hold."""
    level = cards.get("SATURATE")
    if isinstance(level, int | float) and 0 < level < np.inf:
        return float(level)
    return saturation(sample, 8 * sample.dtype.itemsize) if sample.dtype.kind == "u" else None


def _bayer(cards: dict[str, Any], shape: tuple[int, int, int]) -> str | None:
    """The mosaic as stored: BAYERPAT is of the upright picture, so a file that says BOTTOM-UP is flipped."""
    pattern = _card(cards, ("BAYERPAT", "COLORTYP")).upper()
    if not re.fullmatch("RGGB|BGGR|GRBG|GBRG", pattern):
        return None
    rows = [pattern[:2], pattern[2:]]
    flipped = _card(cards, ("ROWORDER",)).upper() == "BOTTOM-UP" and shape[1] % 2 == 0
    if (_offset(cards, "YBAYROFF") + flipped) % 2:
        rows.reverse()
    if _offset(cards, "XBAYROFF") % 2:
        rows = [row[::-1] for row in rows]
    return "".join(rows)


def _offset(cards: dict[str, Any], key: str) -> int:
    value = cards.get(key, 0)
    return int(value) if isinstance(value, int | float) else 0


def _timestamps(parts: list[_Part]) -> NDArray[np.float64] | None:
    """DATE-OBS of single frames; a cube has one for all its frames, which says nothing of each."""
    times = [_seconds(part.cards) for part in parts]
    if any(part.frames != 1 for part in parts) or None in times:
        return None
    return np.array(times, np.float64)


def _seconds(cards: dict[str, Any]) -> float | None:
    """DATE-OBS (UTC, with a time of day) as Unix seconds."""
    text = str(cards.get("DATE-OBS", "")).strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() if len(text) > 10 else None


def _started(head: bytes) -> datetime | None:
    """Local time of DATE-OBS (UTC) in the first bytes of a file."""
    card = re.search(rb"DATE-OBS= *'([^']{10,40})'", head) if head.startswith(b"SIMPLE") else None
    seconds = _seconds({"DATE-OBS": card[1].decode("ascii", "replace")}) if card else None
    return datetime.fromtimestamp(seconds) if seconds is not None and 0 < seconds < 7e9 else None


FITS = Format(
    "fits",
    "FITS (one cube, or a folder of single frames)",
    SUFFIXES,
    ((0, b"SIMPLE  ="),),
    open_fits,
    in_folders=True,
    started=_started,
)
