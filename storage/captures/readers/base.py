"""What every reader of captures promises, and the few things all of them need."""

import errno
import math
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from storage.errors import BadCapture, StillskyError

MAX_FRAME_PX = 128_000_000
"""Frames of more pixels are refused; the largest astronomical cameras have about 100 million."""
MAX_COMPRESSION = 1100
"""Frames may be this many times larger than the bytes they are stored in: deflate packs 1032 times at most."""
MAX_REASON_CHARS = 300
"""An error of a format library is quoted up to this length."""
HEAD_BYTES = 28800
"""Enough of a file to hold the header that tells when it was recorded."""

Raw = NDArray[Any]
"""Raw codes as the camera left them: uint8, uint16 or float32."""

_CALIBRATION = re.compile(r"(master[ _-]?)?(dark|flat|bias)", re.IGNORECASE)
_PASSING = {errno.EIO, errno.ESTALE, errno.ENODEV, errno.ETIMEDOUT, errno.ENOTCONN, errno.EBUSY, errno.EMFILE}
"""Troubles of the disk or the network, not of the capture: worth another try."""


@dataclass(frozen=True)
class Header:
    """What is known of a capture before its frames are read."""

    frames: int | None
    """None: unknown until read. Videos state what the container claims, which a damaged one may not keep."""
    channels: int
    """1 (mono, or a colour mosaic) or 3 (red, green, blue)."""
    height: int
    width: int
    dtype: np.dtype[Any]
    """Of the raw blocks: uint8, uint16 or float32."""
    full_scale: float | None
    """Raw code at which the camera saturates (255, 4095, 65520), None for floats. Only SER tells the depth: elsewhere
    it is the largest code the stored bits can hold, and a 12 bit camera stored low-aligned saturates below it."""
    bayer: str | None
    """'RGGB', 'GRBG' ... read in the stored row order from pixel [0, 0]; channels is 1 then."""
    gamma: bool
    """The codes are sRGB-like gamma-encoded: `response` makes them linear."""
    meta: dict[str, str]
    """observer, telescope, camera, exposure, filter ...; 'truncated' counts frames promised but missing."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows, columns of one frame."""
        return self.channels, self.height, self.width


class Reader(Protocol):
    """An open capture."""

    @property
    def header(self) -> Header:
        """What is known before the frames are read."""

    @property
    def timestamps(self) -> NDArray[np.float64] | None:
        """Seconds since the Unix epoch (UTC) of each frame, or None."""

    def blocks(self, size: int) -> Iterator[Raw]:
        """Successive raw blocks (n <= size, channel, y, x) in the machine's byte order; may be asked for again."""


def _unknown_start(head: bytes) -> datetime | None:
    return None


def _finished(head: bytes, size: int) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """A file format: how it is recognised, and how it is read. Each reader module exports one."""

    name: str
    """One word for it."""
    content: str
    """What of it can be read, in words for the user."""
    suffixes: tuple[tuple[str, ...], ...]
    """Suffixes of its files, one group for each kind of file; they decide only where the first bytes do not."""
    magic: tuple[tuple[int, bytes], ...]
    """Positions and bytes, any of which at the beginning of a file tells this format."""
    open: Callable[[Path], AbstractContextManager[Reader]]
    """Opens a file or a folder of frames of this format."""
    in_folders: bool = False
    """A folder of files of one of its kinds is a capture, each file a frame."""
    single: tuple[str, ...] = ()
    """Suffixes of files that never hold more than one frame."""
    started: Callable[[bytes], datetime | None] = _unknown_start
    """Local time when a file was recorded, from its first HEAD_BYTES bytes; None: not known."""
    unfinished: Callable[[bytes, int], bool] = _finished
    """Do the first bytes of a file of this size promise more than is there, as while it is being recorded?"""

    @property
    def all_suffixes(self) -> tuple[str, ...]:
        """The suffixes of every kind."""
        return tuple(suffix for kind in self.suffixes for suffix in kind)


def response(header: Header) -> NDArray[np.float32]:
    """sRGB decoding as a table (code): linear light on the scale of the codes, so full scale stays full scale."""
    if header.dtype.kind != "u":
        raise ValueError(f"gamma of {header.dtype} frames: a table needs 8 or 16 bit codes; take the frames as linear")
    last = float(np.iinfo(header.dtype).max)
    top = header.full_scale or last
    code = np.minimum(np.arange(int(last) + 1) / top, 1.0)
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return (linear * top).astype(np.float32)


def saturation(samples: Raw, depth: int) -> float:
    """Largest code of `depth` bits as stored: shifted samples have empty low bits, which saturation has too."""
    if samples.dtype.itemsize == 1:
        return float(min(255, (1 << depth) - 1))
    used = int(np.bitwise_or.reduce(samples, axis=None)) if samples.size else 0
    low = (1 << depth) - 1
    if used == 0:
        return float(low)
    if used > low:  # fewer bits than the container, written at its top
        return float(low << (16 - depth))
    empty = min((used & -used).bit_length() - 1, 8) if depth == 16 else 0
    return float(low >> empty << empty)


def frames_in(folder: Path, kinds: Sequence[tuple[str, ...]]) -> list[Path]:
    """The frames in a folder, in natural order (1, 2, 10): the most frequent kind, calibration frames left out.

    `kinds` are the suffixes of each kind, in the order in which a tie is settled.
    """
    files = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=natural)
    numbers = {suffix: number for number, suffixes in enumerate(kinds) for suffix in suffixes}
    counts = Counter(numbers[p.suffix.lower()] for p in files if p.suffix.lower() in numbers)
    best = min(counts, key=lambda kind: (-counts[kind], kind), default=None)
    frames = [p for p in files if best is not None and numbers.get(p.suffix.lower()) == best and p.is_file()]
    # A folder of nothing but darks is a capture of darks; among lights they are calibration.
    return [p for p in frames if not _CALIBRATION.match(p.name)] or frames


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Sorting key of a name that puts 2 before 10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if i % 2 else (1, 0, part) for i, part in enumerate(parts)]


def packed(frames: Iterable[Raw], size: int) -> Iterator[Raw]:
    """Single frames (channel, y, x) gathered into blocks of at most `size`."""
    block: list[Raw] = []
    for frame in frames:
        block.append(frame)
        if len(block) == size:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)


def check_frame(path: Path, frame: Raw, header: Header) -> None:
    """One capture has one shape and one kind of number."""
    if frame.shape != header.shape or frame.dtype != header.dtype:
        raise BadCapture(
            f"{path}: frame of (channel, y, x) {frame.shape} {frame.dtype} in a capture of {header.shape} "
            f"{header.dtype}; remove it, or put it into a folder of its own."
        )


def plain(frames: Raw) -> Raw:
    """The same numbers as uint8, uint16 or float32 in the machine's byte order: what blocks are made of."""
    if frames.dtype.kind not in "biuf":
        raise ValueError(f"numbers of type {frames.dtype}; needed are integers or real numbers")
    if frames.dtype.kind == "b":
        return np.where(frames, np.uint8(255), np.uint8(0))
    kept = frames.dtype.kind == "u" and frames.dtype.itemsize <= 2
    return np.ascontiguousarray(frames, frames.dtype.newbyteorder("=") if kept else np.float32)


def plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What `plain` makes of numbers of this dtype."""
    return plain(np.empty(0, dtype)).dtype


def check_claim(path: Path, frames: int, shape: tuple[int, ...], itemsize: int, stored_bytes: int) -> None:
    """Refuse sizes that a header claims and that the bytes of the file cannot hold, before memory is taken for them."""
    pixels = math.prod(shape)
    if min(shape) < 1 or frames < 0:
        raise BadCapture(
            f"{path}: claims frames of (channel, y, x) {shape}; at least one pixel is needed: record it again."
        )
    if pixels > MAX_FRAME_PX:
        raise BadCapture(
            f"{path}: claims frames of {pixels} pixels, at most {MAX_FRAME_PX} are read; cut out the target and save it again."
        )
    if frames * pixels * itemsize > MAX_COMPRESSION * stored_bytes:
        raise BadCapture(
            f"{path}: claims {frames} frames of (channel, y, x) {shape}, and has {stored_bytes} bytes for them; "
            f"damaged: copy or record it again."
        )


def check_regular(path: Path) -> None:
    """Refuse what is neither file nor folder: reading a pipe, a socket or a device may never end."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BadCapture(
            f"{path}: neither a file nor a folder (a pipe, a socket or a device?); copy its content to a file."
        )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn any exception while reading `path` into a stillsky error with a remedy."""
    try:
        yield
    except StillskyError:
        raise
    except FileNotFoundError as error:
        missing = error.filename or path
        raise BadCapture(
            f"{missing}: there is no such file or folder; check the name and that its disk is there."
        ) from error
    except PermissionError as error:
        closed = error.filename or path
        raise BadCapture(f"{closed}: not allowed to read it; grant reading, e.g. chmod a+rX '{closed}'.") from error
    except MemoryError as error:
        raise StillskyError(
            f"{path}: there is not enough memory to read it; close other programs or lower ingest.block_frames."
        ) from error
    except Exception as error:  # format libraries raise exceptions of any class
        if isinstance(error, OSError) and error.errno in _PASSING:
            raise StillskyError(
                f"{path}: reading failed ({error}); check its disk or mount, then try again."
            ) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_REASON_CHARS].rstrip(": ")
        raise BadCapture(f"{path}: damaged, or not what its name says ({reason}); copy or record it again.") from error
