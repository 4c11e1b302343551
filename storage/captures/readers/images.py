"""Pictures as frames: a folder of PNG, TIFF or JPEG, one file each, or one TIFF of many pages."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    explained,
    frames_in,
    packed,
    plain,
    saturation,
)
from storage.errors import BadCapture

SUFFIXES = ((".png",), (".tif", ".tiff"), (".jpg", ".jpeg"))
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"
_PLAIN_TIFF = (0, 1, 2)
"""Photometric kinds read as they are: white is zero, black is zero, RGB; others (palette, YCbCr) are converted."""


@dataclass(frozen=True)
class _Images:
    """Picture files, read one after the other."""

    header: Header
    timestamps: NDArray[np.float64] | None
    files: list[Path]

    def blocks(self, size: int) -> Iterator[Raw]:
        return packed(self._frames(), size)

    def _frames(self) -> Iterator[Raw]:
        for file in self.files:
            for frame in _named(file):
                check_frame(file, frame, self.header)
                yield frame


@contextmanager
def open_images(path: Path) -> Iterator[_Images]:
    """
    Frames by name in natural order, alpha dropped, palettes and bilevel pictures unfolded.

    8 bit PNG and JPEG are gamma-encoded (unless a PNG says gamma 1); 16 bit, and TIFF of any depth, are linear:
    capture programs write those.
    """
    files = frames_in(path, SUFFIXES) if path.is_dir() else [path]
    first = next(_named(files[0]), None)
    if first is None:
        raise BadCapture(f"{files[0]}: no picture in it; remove it or write it again.")
    frames = sum(_count(file) for file in files)
    full_scale = saturation(first, 8 * first.dtype.itemsize) if first.dtype.kind == "u" else None
    gamma = first.dtype == np.uint8 and not _says_linear(files[0])
    channels, height, width = first.shape
    header = Header(frames, channels, height, width, first.dtype, full_scale, None, gamma, {})
    yield _Images(header, None, files)


def _named(file: Path) -> Iterator[Raw]:
    """The frames (channel, y, x) of one file; what goes wrong names it, not its folder."""
    frames = _tiff(file) if _head(file).startswith(_TIFF) else _single(file)
    while True:
        with explained(file):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(26)


def _count(file: Path) -> int:
    """Frames in one file."""
    if not _head(file).startswith(_TIFF):
        return 1
    with explained(file), _opened_tiff(file) as tiff:
        return len(_pages(file, tiff))


def _says_linear(file: Path) -> bool:
    """TIFF is linear by convention, a PNG where it states gamma 1."""
    head = _head(file)
    if head.startswith(_TIFF) or not head.startswith(_PNG):
        return head.startswith(_TIFF)

    with _opened_picture(file, "PNG") as picture:
        return picture.info.get("gamma") == 1.0


def _single(file: Path) -> Iterator[Raw]:
    """The frame of a PNG or JPEG."""

    head = _head(file)
    if head.startswith(_PNG) and head[24] == 16 and head[25] != 0:
        yield _deep_png(file, 3 if head[25] & 2 else 1)  # Pillow would cut it to 8 bits
        return
    with _opened_picture(file, "PNG", "JPEG") as picture:
        check_claim(file, 1, (len(picture.getbands()), *picture.size), 1, file.stat().st_size)
        yield _unfolded(picture)


@contextmanager
def _opened_picture(file: Path, *formats: str) -> Iterator[Any]:
    """A picture of one of these formats; Pillow knows others, of which some start programs."""
    from PIL import Image

    try:
        picture = Image.open(file, formats=formats)
    except Image.DecompressionBombError as error:
        raise BadCapture(f"{file}: {error}; cut out the target and save it again.") from None
    with picture:
        yield picture


def _deep_png(file: Path, channels: int) -> Raw:
    """16 bit PNG with colour or alpha."""
    import av

    width, height = struct.unpack_from(">2I", _head(file), 16)
    check_claim(file, 1, (channels, height, width), 2, file.stat().st_size)
    with file.open("rb") as stream, av.open(stream, format="png_pipe") as container:
        frame = next(container.decode(video=0))
        if channels == 3:
            return np.ascontiguousarray(frame.to_ndarray(format="rgb48le").transpose(2, 0, 1), np.uint16)
        return np.ascontiguousarray(frame.to_ndarray(format="gray16le")[None], np.uint16)


def _unfolded(picture: Any) -> Raw:
    """A Pillow picture (channel, y, x): alpha dropped, not blended."""
    if picture.mode.startswith("I"):  # I;16, or I as older Pillow opens 16 bit PNG
        return np.array(picture).astype(np.uint16)[None]
    if picture.mode == "F":
        return np.array(picture, np.float32)[None]
    if picture.mode in ("1", "L", "LA", "La"):
        return np.array(picture.convert("L"), np.uint8)[None]
    return np.ascontiguousarray(np.array(picture.convert("RGB"), np.uint8).transpose(2, 0, 1))


@contextmanager
def _opened_tiff(file: Path) -> Iterator[Any]:
    """A TIFF whose directories come to an end: tifffile would follow a circle for ever."""
    import tifffile

    _check_directories(file)
    with tifffile.TiffFile(file) as tiff:
        yield tiff


def _check_directories(file: Path) -> None:
    """Follow the chain of directories (one for each page) once; no two may stand at the same place."""
    with file.open("rb") as stream:
        head = stream.read(16)
        order, large = ("<" if head[:2] == b"II" else ">"), head[2:3] == b"+" or head[3:4] == b"+"
        counts, entry, offsets = (f"{order}Q", 20, f"{order}Q") if large else (f"{order}H", 12, f"{order}I")
        (place,) = struct.unpack_from(offsets, head, 8 if large else 4)
        seen: set[int] = set()
        while place:
            if place in seen:
                raise BadCapture(f"{file}: its pages lead in a circle; damaged: copy or save it again.")
            seen.add(place)
            stream.seek(place)
            (entries,) = struct.unpack(counts, stream.read(struct.calcsize(counts)))
            stream.seek(entries * entry, 1)
            following = stream.read(struct.calcsize(offsets))
            (place,) = struct.unpack(offsets, following) if len(following) == struct.calcsize(offsets) else (0,)


def _pages(file: Path, tiff: Any) -> list[Any]:
    """The pages at full size."""
    pages = [page for page in tiff.pages if not page.is_reduced]
    if tiff.is_imagej and int((tiff.imagej_metadata or {}).get("images", 1)) > len(pages):
        raise BadCapture(f"{file}: a stack without pages (ImageJ, above 4 GB?); save it as a folder of TIFF or as SER.")
    return pages


def _tiff(file: Path) -> Iterator[Raw]:
    """The pages of a TIFF."""
    with _opened_tiff(file) as tiff:
        for number, page in enumerate(_pages(file, tiff)):
            yield _page(file, page, number)


def _page(file: Path, page: Any, number: int) -> Raw:
    """One page (channel, y, x); LZW and other packings that tifffile lacks go through Pillow."""
    size = file.stat().st_size
    check_claim(file, 1, tuple(page.shape), page.dtype.itemsize if page.dtype else 1, size)
    if page.photometric not in _PLAIN_TIFF:
        return _pillow_page(file, page, number)
    try:
        raw = page.asarray()
    except (ValueError, KeyError) as error:
        if "imagecodecs" not in str(error):
            raise
        return _pillow_page(file, page, number)
    axes = page.axes
    if axes not in ("YX", "YXS", "SYX"):
        raise BadCapture(f"{file}: page {number} has axes {axes}; needed are pictures (y, x) or (y, x, colour).")
    planes = raw[None] if axes == "YX" else raw.transpose(2, 0, 1) if axes == "YXS" else raw
    frame = plain(planes[: 3 if planes.shape[0] >= 3 else 1])
    if page.photometric == 0 and frame.dtype.kind == "u":
        return np.iinfo(frame.dtype).max - frame
    return frame


def _pillow_page(file: Path, page: Any, number: int) -> Raw:
    """A page converted by Pillow, which knows more packings but no deep colour."""

    if page.dtype is None or (page.dtype.itemsize > 1 and page.samplesperpixel > 1):
        raise BadCapture(
            f"{file}: page {number} is {page.dtype} colour packed with {page.compression!s}; save it unpacked."
        )
    with _opened_picture(file, "TIFF") as picture:
        picture.seek(page.index)
        return _unfolded(picture)


IMAGES = Format(
    "images",
    "a folder of PNG, TIFF or JPEG frames or one multi-page TIFF",
    SUFFIXES,
    tuple((0, magic) for magic in (_PNG, _JPEG, *_TIFF)),
    open_images,
    in_folders=True,
    single=(".png", ".jpg", ".jpeg"),
)
