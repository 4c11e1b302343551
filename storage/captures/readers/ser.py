"""SER, the format of planetary cameras: an uncompressed stack of frames behind a header of 178 bytes."""

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.captures.readers.base import Format, Header, Raw, check_claim, saturation
from storage.errors import BadCapture

MAGIC = b"LUCAM-RECORDER"
_LAYOUT = struct.Struct("<14s7i40s40s40s2q")
_SIZES = struct.Struct("<18x6i")
"""Colour, byte order, width, height, depth and number of frames."""
_MOSAICS = {8: "RGGB", 9: "GRBG", 10: "GBRG", 11: "BGGR", 16: "CYYM", 17: "YCMY", 18: "YMCY", 19: "MYYC"}
_MONO, _RGB, _BGR = 0, 100, 101
_TICKS = 10_000_000
_EPOCH_TICKS = 621_355_968_000_000_000  # 1970-01-01 in 100 ns ticks since year 1
_LAST_SECOND = 7_258_118_400.0  # year 2200: later timestamps are not real
_TEXTS = ("observer", "camera", "telescope")


class _Facts(NamedTuple):
    """The header as it stands in the file."""

    magic: bytes
    lu_id: int
    colour: int
    little: int
    width: int
    height: int
    depth: int
    frames: int
    observer: bytes
    camera: bytes
    telescope: bytes
    local_ticks: int
    utc_ticks: int


@dataclass(frozen=True)
class _Ser:
    """An open SER file."""

    file: BufferedReader
    header: Header
    timestamps: NDArray[np.float64] | None
    stored: np.dtype[Any]
    reverse: bool

    def blocks(self, size: int) -> Iterator[Raw]:
        for start in range(0, self.header.frames or 0, size):
            count = min(size, (self.header.frames or 0) - start)
            raw = _frames(self.file, self.header, self.stored, start, count)
            raw = raw[..., ::-1] if self.reverse else raw
            yield np.ascontiguousarray(raw.transpose(0, 3, 1, 2), self.header.dtype)


@contextmanager
def open_ser(path: Path) -> Iterator[_Ser]:
    """A SER file; one cut short gives the whole frames it has."""
    with path.open("rb") as file:
        facts = _facts(path, file)
        colours = 3 if facts.colour in (_RGB, _BGR) else 1
        wide = facts.depth > 8
        room = path.stat().st_size - _LAYOUT.size
        shape = (colours, facts.height, facts.width)
        check_claim(path, 0, shape, 1, 0)
        whole_frames = room // (facts.width * facts.height * colours * (2 if wide else 1))
        if whole_frames < 1:
            raise BadCapture(f"{path}: no whole frame in {room} bytes after the header; record or copy it again.")
        meta = {name: _text(getattr(facts, name)) for name in _TEXTS if _text(getattr(facts, name))}
        if whole_frames < facts.frames:
            meta["truncated"] = str(facts.frames - whole_frames)
        # A recording that was killed leaves a count of 0 in front of good frames.
        frames = min(whole_frames, facts.frames) if facts.frames > 0 else whole_frames
        mosaic, dtype = _MOSAICS.get(facts.colour), np.dtype(np.uint16 if wide else np.uint8)
        header = Header(frames, colours, facts.height, facts.width, dtype, None, mosaic, False, meta)
        sample = _sample(file, header)
        stored = _byte_order(sample, facts.depth) if wide else dtype
        full_scale = saturation(sample.view(stored).astype(dtype), facts.depth)
        header = Header(frames, colours, facts.height, facts.width, dtype, full_scale, mosaic, False, meta)
        yield _Ser(file, header, _timestamps(file, header), stored, facts.colour == _BGR)


def _facts(path: Path, file: BufferedReader) -> _Facts:
    """The header, refused where no frame can be cut out by it."""
    head = file.read(_LAYOUT.size)
    if not head.startswith(MAGIC):
        raise BadCapture(
            f"{path}: not a SER capture, which begins with {MAGIC.decode()}; copy or record it again, or rename it."
        )
    if len(head) < _LAYOUT.size:
        raise BadCapture(f"{path}: ends after {len(head)} of {_LAYOUT.size} header bytes; record or copy it again.")
    facts = _Facts(*_LAYOUT.unpack(head))
    if facts.width < 1 or facts.height < 1 or not 1 <= facts.depth <= 16:
        size = f"{facts.width} x {facts.height} pixels of {facts.depth} bits"
        raise BadCapture(f"{path}: header says {size}; at least 1 x 1 of 1 .. 16 bits is needed: record it again.")
    if facts.colour not in (_MONO, _RGB, _BGR, *_MOSAICS):
        raise BadCapture(f"{path}: unknown colour id {facts.colour}; known are 0, 8-11, 16-19, 100, 101: convert it.")
    return facts


def _started(head: bytes) -> datetime | None:
    """Local time of the recording from the first bytes of a file, from universal time where only that is given."""
    if len(head) < _LAYOUT.size:
        return None
    *_, local, utc = _LAYOUT.unpack_from(head)
    seconds = [(ticks - _EPOCH_TICKS) / _TICKS for ticks in (local, utc)]
    known = [0 < each < _LAST_SECOND for each in seconds]
    if known[0]:
        return datetime.fromtimestamp(seconds[0], UTC).replace(tzinfo=None)
    return datetime.fromtimestamp(seconds[1]) if known[1] else None


def _unfinished(head: bytes, size: int) -> bool:
    """The header has a frame count of zero while a recording goes on."""
    try:
        colour, _, width, height, depth, frames = _SIZES.unpack_from(head)
    except struct.error:
        return False
    return bool(frames < 1 or size < _LAYOUT.size + frames * width * height * _pixel_bytes(colour, depth))


def _pixel_bytes(colour: int, depth: int) -> int:
    """Bytes of one pixel."""
    return (3 if colour in (_RGB, _BGR) else 1) * (2 if depth > 8 else 1)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("latin-1").strip()


def _frames(file: BufferedReader, header: Header, stored: np.dtype[Any], start: int, count: int) -> Raw:
    """Frames as stored: (frame, y, x, channel)."""
    shape = (count, header.height, header.width, header.channels)
    raw = np.empty(shape, stored)
    file.seek(_LAYOUT.size + start * raw[0].nbytes)
    view = raw.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        got = file.readinto(view[done:])
        if not got:
            raise BadCapture(f"{file.name}: ended while being read, at frame {start}; is it still being written?")
        done += got
    return raw


def _sample(file: BufferedReader, header: Header) -> Raw:
    """First, middle and last frame: enough to see how the codes are stored."""
    last = (header.frames or 1) - 1
    stored = header.dtype.newbyteorder("<")
    return np.concatenate([_frames(file, header, stored, k, 1) for k in sorted({0, last // 2, last})])


def _byte_order(sample: Raw, depth: int) -> np.dtype[Any]:
    """Little-endian unless the picture says otherwise: the header's flag is written both ways by cameras."""
    little, big = sample.view("<u2"), sample.view(">u2")
    low = (1 << depth) - 1
    smooth = _roughness(big) < 0.6 * _roughness(little)  # a swapped picture is white noise: 1.3 against 0.1 .. 0.8
    fits = depth < 16 and little.max() > low >= big.max() and not _shifted(little, depth)
    return np.dtype(">u2" if smooth or fits else "<u2")


def _shifted(codes: Raw, depth: int) -> bool:
    """All low bits empty: written at the top of 16 bits."""
    return not np.any(codes & ((1 << (16 - depth)) - 1))


def _roughness(codes: Raw) -> float:
    """Mean step between pixels of one colour (two apart in a mosaic) over the mean deviation."""
    picture = codes.astype(np.float32)
    deviation = float(np.abs(picture - picture.mean()).mean())
    if deviation == 0 or picture.shape[2] < 3:
        return 1.0
    return float(np.abs(picture[:, :, 2:] - picture[:, :, :-2]).mean()) / deviation


def _timestamps(file: BufferedReader, header: Header) -> NDArray[np.float64] | None:
    """The trailer in Unix seconds; None where it is missing, of another length or impossible."""
    frames = header.frames or 0
    if "truncated" in header.meta:
        return None
    file.seek(_LAYOUT.size + frames * header.channels * header.height * header.width * header.dtype.itemsize)
    trailer = file.read(8 * frames + 1)
    if len(trailer) != 8 * frames:
        return None
    ticks = np.frombuffer(trailer, "<i8")
    seconds: NDArray[np.float64] = (ticks - _EPOCH_TICKS) / _TICKS
    return seconds if np.all((seconds > 0) & (seconds < _LAST_SECOND)) else None


def write_ser(
    path: Path,
    frames: Iterable[Raw],
    depth: int,
    timestamps: NDArray[np.float64] | None = None,
    meta: Mapping[str, str] | None = None,
    bayer: str | None = None,
) -> None:
    """Frames (channel, y, x) or (y, x), uint8 up to depth 8 and uint16 above, into a file that appears when whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(bytes(_LAYOUT.size))
            shape, count = _write_frames(file, frames, depth)
            file.write(_trailer(timestamps, count))
            file.seek(0)
            file.write(_header(shape, (depth, count), timestamps, meta or {}, bayer))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_frames(file: BinaryIO, frames: Iterable[Raw], depth: int) -> tuple[tuple[int, ...], int]:
    """Shape of one frame and their number."""
    if not 1 <= depth <= 16:
        raise ValueError(f"depth {depth}: SER holds 1 .. 16 bits")
    dtype = np.dtype(np.uint8 if depth <= 8 else np.uint16)
    shape: tuple[int, ...] = ()
    count = 0
    for frame in frames:
        cube = frame[None] if frame.ndim == 2 else frame
        shape = shape or cube.shape
        if cube.dtype != dtype or cube.shape != shape or len(shape) != 3 or shape[0] not in (1, 3):
            raise ValueError(f"frame {count}: {cube.dtype} {cube.shape}; needed {dtype} {shape} of 1 or 3 channels")
        file.write(cube.transpose(1, 2, 0).astype(dtype.newbyteorder("<")).tobytes())
        count += 1
    if count == 0:
        raise ValueError("no frames to write: a SER file needs at least one")
    return shape, count


def _trailer(timestamps: NDArray[np.float64] | None, count: int) -> bytes:
    if timestamps is None:
        return b""
    if timestamps.shape != (count,):
        raise ValueError(f"{timestamps.shape} timestamps for {count} frames: one per frame is needed")
    return (_ticks(timestamps)).astype("<i8").tobytes()


def _ticks(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.round(seconds * _TICKS).astype(np.int64) + _EPOCH_TICKS


def _header(
    shape: tuple[int, ...],
    size: tuple[int, int],
    timestamps: NDArray[np.float64] | None,
    meta: Mapping[str, str],
    bayer: str | None,
) -> bytes:
    """The 178 bytes; the endian flag is 0 for little-endian data, as every camera program writes it."""
    mosaics = {name: colour for colour, name in _MOSAICS.items()}
    colour = _RGB if shape[0] == 3 else mosaics[bayer] if bayer else _MONO
    start = int(_ticks(timestamps[:1])[0]) if timestamps is not None else 0
    texts = [meta.get(name, "").encode("latin-1", "replace")[:40] for name in _TEXTS]
    return _LAYOUT.pack(MAGIC, 0, colour, 0, shape[2], shape[1], *size, *texts, start, start)


SER = Format("ser", "SER", ((".ser",),), ((0, MAGIC),), open_ser, started=_started, unfinished=_unfinished)
