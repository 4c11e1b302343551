"""Captures of every supported format through one interface: which reader, what is in it, what identifies it."""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.captures.readers.base import (
    HEAD_BYTES,
    Format,
    Header,
    Raw,
    Reader,
    check_claim,
    check_regular,
    explained,
    frames_in,
    response,
)
from storage.captures.readers.fits import FITS
from storage.captures.readers.hdf5 import HDF5
from storage.captures.readers.images import IMAGES
from storage.captures.readers.ser import SER
from storage.captures.readers.video import VIDEO
from storage.errors import BadCapture, StillskyError

__all__ = [
    "FRAME_SUFFIXES",
    "READERS",
    "VIDEO_SUFFIXES",
    "Format",
    "Header",
    "Reader",
    "fingerprint",
    "folder_frames",
    "format_of",
    "holds_one_frame",
    "is_unfinished",
    "open_capture",
    "response",
    "started",
]

READERS: dict[str, Format] = {each.name: each for each in (SER, FITS, VIDEO, IMAGES, HDF5)}
"""Every format that can be read, by name; the only place that lists them."""
_FRAME_KINDS = [kind for each in READERS.values() if each.in_folders for kind in each.suffixes]
FRAME_SUFFIXES = frozenset(suffix for kind in _FRAME_KINDS for suffix in kind)
"""Suffixes of files that may be single frames of a capture that is a folder."""
VIDEO_SUFFIXES = frozenset(suffix for each in READERS.values() for suffix in each.all_suffixes) - FRAME_SUFFIXES
"""Suffixes of files that are captures by themselves."""
SUPPORTED = "; ".join(each.content for each in READERS.values())


MAX_BLOCK_BYTES = 1 << 30
"""Blocks are of fewer frames than asked for where they would be larger."""


@dataclass(frozen=True)
class _Explained:
    """A reader whose every failure is a stillsky error."""

    path: Path
    reader: Reader

    @property
    def header(self) -> Header:
        return self.reader.header

    @property
    def timestamps(self) -> NDArray[np.float64] | None:
        return self.reader.timestamps

    def blocks(self, size: int) -> Iterator[Raw]:
        if size < 1:
            raise ValueError(f"blocks of {size} frames: at least 1 is needed")
        header = self.header
        frame_bytes = math.prod(header.shape) * header.dtype.itemsize
        blocks = self.reader.blocks(max(1, min(size, MAX_BLOCK_BYTES // frame_bytes)))
        while True:
            with explained(self.path):
                block = next(blocks, None)
            if block is None:
                return
            yield block


@contextmanager
def open_capture(path: Path) -> Iterator[Reader]:
    """A capture of any supported format, open for reading."""
    with explained(path):
        opened = format_of(path).open(path)
        reader = opened.__enter__()
        try:
            check_claim(path, 0, reader.header.shape, reader.header.dtype.itemsize, 0)
        except BaseException:
            opened.__exit__(None, None, None)
            raise
    try:
        yield _Explained(path, reader)
    finally:
        with explained(path):
            opened.__exit__(None, None, None)


def format_of(path: Path) -> Format:
    """The format of a capture: by its first bytes, else by its suffix, of a folder by the frames in it."""
    with explained(path):
        check_regular(path)
        if path.is_dir():
            suffix = folder_frames(path)[0].suffix.lower()
            return next(each for each in READERS.values() if each.in_folders and suffix in each.all_suffixes)
        head = _head(path, 64)
    if not head:
        raise BadCapture(f"{path}: an empty file (0 bytes); record or copy it again.")
    if head.startswith(b"GIF8"):
        raise BadCapture(
            f"{path}: a GIF has at most 256 colours, often dithered, so that its numbers are no light; give the video it was "
            f"made from."
        )
    found = _by_magic(head) or next((f for f in READERS.values() if path.suffix.lower() in f.all_suffixes), None)
    if found is None:
        raise BadCapture(f"{path}: not a capture stillsky knows. Supported: {SUPPORTED}; convert it to one of these.")
    return found


def _by_magic(head: bytes) -> Format | None:
    return next((f for f in READERS.values() if any(head.startswith(magic, at) for at, magic in f.magic)), None)


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def folder_frames(folder: Path) -> list[Path]:
    """The frames in a folder: files of the most frequent kind, in natural order, calibration frames left out."""
    frames = frames_in(folder, _FRAME_KINDS)
    if not frames:
        content = ", ".join(sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))[:5]) or "nothing"
        raise BadCapture(
            f"{folder}: a folder without frames (found: {content}). Supported: {SUPPORTED}; give one of these."
        )
    return frames


def holds_one_frame(path: Path) -> bool:
    """Can a file of this name never hold more than one frame?"""
    return any(path.suffix.lower() in each.single for each in READERS.values())


def fingerprint(path: Path) -> str:
    """sha256 of a capture's content; of a folder, the names and contents of the frames that would be read."""
    digest = hashlib.sha256()
    with explained(path):
        check_regular(path)
        if not path.is_dir():
            _feed(digest.update, path)
            return digest.hexdigest()
        for frame in sorted(folder_frames(path), key=lambda p: p.name):
            digest.update(f"{frame.name}\0{frame.stat().st_size}\0".encode("utf-8", "surrogateescape"))
            _feed(digest.update, frame)
    return digest.hexdigest()


def _feed(update: Callable[[bytes], None], path: Path) -> None:
    """A file's bytes, a mebibyte at a time."""
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            update(block)


def started(path: Path) -> datetime | None:
    """Local time when a capture was begun, from its own header; None where that does not tell."""
    try:
        head = _head(folder_frames(path)[0] if path.is_dir() else path, HEAD_BYTES)
        found = _by_magic(head)
        return found.started(head) if found is not None else None
    except (OSError, StillskyError, ArithmeticError, ValueError):
        return None


def is_unfinished(path: Path, size: int) -> bool:
    """Does the header of a file of `size` bytes promise more than is there, as while it is being recorded?"""
    try:
        head = _head(path, 64) if path.is_file() else b""
    except OSError:
        return False
    found = _by_magic(head)
    return found is not None and found.unfinished(head, size)


@dataclass(frozen=True)
class Claim:
    """How large a capture's header says it is."""

    frames: int
    """0: the header does not tell."""
    channels: int
    height: int
    width: int
    mosaic: str
    """Colours of the sensor's cell; empty: none."""


def claimed_size(path: Path) -> Claim:
    """The size of a capture without reading its frames."""
    with open_capture(path) as reader:
        head = reader.header
        return Claim(head.frames or 0, *head.shape, head.bayer or "")
