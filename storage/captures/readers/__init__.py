"""Captures of every supported format behind one door: which reader, what is in it, what identifies it."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.captures.readers.base import SUPPORTED, Header, Raw, Reader, explained, folder_frames, response
from storage.captures.readers.fits import fits_started, open_fits
from storage.captures.readers.hdf5 import open_hdf5
from storage.captures.readers.images import open_images
from storage.captures.readers.ser import open_ser, ser_started
from storage.captures.readers.video import open_video
from storage.errors import BadCapture, StillskyError

__all__ = ["READERS", "Header", "Reader", "fingerprint", "open_capture", "recorded", "response", "sniff"]

READERS: dict[str, Callable[[Path], AbstractContextManager[Reader]]] = {
    "ser": open_ser,
    "fits": open_fits,
    "video": open_video,
    "images": open_images,
    "hdf5": open_hdf5,
}

SUFFIXES = {
    "ser": (".ser",),
    "fits": (".fits", ".fit", ".fts", ".fz"),
    "video": (".avi", ".mp4", ".m4v", ".mov", ".mkv"),
    "images": (".png", ".tif", ".tiff", ".jpg", ".jpeg"),
    "hdf5": (".h5", ".hdf5", ".hdf"),
}
"""The name decides only where the first bytes do not."""
HEAD_BYTES = 28800
"""Enough of a file to hold the header that tells when it was recorded."""

_MAGIC = (
    (0, b"LUCAM-RECORDER", "ser"),
    (0, b"SIMPLE  =", "fits"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"\x89PNG", "images"),
    (0, b"\xff\xd8\xff", "images"),
    (0, b"II*\0", "images"),
    (0, b"MM\0*", "images"),
    (0, b"II+\0", "images"),
    (8, b"AVI ", "video"),
    (4, b"ftyp", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
)


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
        blocks = self.reader.blocks(size)
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
        opened = READERS[sniff(path)](path)
        reader = opened.__enter__()
    try:
        yield _Explained(path, reader)
    finally:
        opened.__exit__(None, None, None)


def sniff(path: Path) -> str:
    """Name of the reader of a capture: by its first bytes, else by its suffix, a folder by the frames in it."""
    with explained(path):
        if path.is_dir():
            first = folder_frames(path)[0]
            return "fits" if first.suffix.lower() in SUFFIXES["fits"] else "images"
        with path.open("rb") as file:
            head = file.read(64)
    if not head:
        raise BadCapture(f"{path}: an empty file (0 bytes); record or copy it again.")
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return name
    for name, suffixes in SUFFIXES.items():
        if path.suffix.lower() in suffixes:
            return name
    raise BadCapture(f"{path}: not a capture stillsky knows. Supported: {SUPPORTED}; convert it to one of these.")


def fingerprint(path: Path) -> str:
    """sha256 of a capture's content; of a folder, the names and contents of the frames that would be read."""
    digest = hashlib.sha256()
    with explained(path):
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


def recorded(path: Path) -> datetime | None:
    """Local time when a capture was begun, from its own header; None where that does not tell."""
    try:
        first = folder_frames(path)[0] if path.is_dir() else path
        with first.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, StillskyError):
        return None
    return ser_started(head) if head.startswith(b"LUCAM-RECORDER") else fits_started(head)
