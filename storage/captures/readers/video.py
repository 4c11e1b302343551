"""Video (AVI, MP4, MOV, MKV) by FFmpeg: grey stays one channel of 8 to 16 bits, everything else becomes 8 bit RGB."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from storage.atomic import atomic
from storage.captures.readers.base import MAX_FRAME_PX, Format, Header, Raw, check_frame, packed, saturation
from storage.errors import BadCapture

LOSSLESS = {"rawvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "lagarith"}
"""Single-channel video of these is a camera's own numbers, linear; anything else is made for eyes: gamma-encoded."""

IO_BUFFER_BYTES = 1 << 20
"""FFmpeg asks for so much of the file at a time."""
MIN_PACKET_BYTES = 8
"""A frame in a container takes no fewer bytes."""
_CONTAINERS = ((8, b"AVI ", "avi"), (4, b"ftyp", "mov"), (0, b"\x1aE\xdf\xa3", "matroska"))
"""Position, first bytes, and FFmpeg's name of the container."""
_RAW_TAGS = {b"RGGB": "RGGB", b"GRBG": "GRBG", b"GBRG": "GBRG", b"BA81": "BGGR"}
"""Codes of 8 bit raw Bayer in AVI that FFmpeg does not know, and the mosaic they tell."""
_GREY_TAG = b"Y800"
"""The code that FFmpeg knows for the same bytes."""
AVI_HEAD_BYTES = 4096
"""The code stands this near to the beginning of an AVI."""
_PLANE = re.compile(r"(?:gray(?P<bits>\d*)|bayer_(?P<mosaic>[rgb]{4})(?P<mbits>8|16))(?P<end>le|be)?")


class _Recoded(FileIO):
    """A file read as it is, but for the code of raw video that FFmpeg knows under another one."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        head = super().read(AVI_HEAD_BYTES)
        self.places: dict[int, bytes] = {}
        self.mosaic: str | None = None
        tag = head[_after(head, b"strf", 24) :][:4]
        if head.startswith(b"RIFF") and tag in _RAW_TAGS:
            self.mosaic = _RAW_TAGS[tag]
            at = (_after(head, b"vids", 4), _after(head, b"strf", 24))
            self.places = {start: _GREY_TAG for start in at if head[start : start + 4] == tag}
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        """Bytes with the code replaced."""
        start = self.tell()
        data = bytearray(super().read(-1 if size is None else size) or b"")
        for place, tag in self.places.items():
            for k, byte in enumerate(tag, start=place - start):
                if 0 <= k < len(data):
                    data[k] = byte
        return bytes(data)


def _mosaic(path: Path) -> str | None:
    with _Recoded(path) as file:
        return file.mosaic


def _after(head: bytes, word: bytes, distance: int) -> int:
    """Where the bytes `distance` after the beginning of `word` stand; the end where there is no such word."""
    at = head.find(word)
    return len(head) if at < 0 else at + distance


@dataclass(frozen=True)
class _Video:
    """A video; every pass over its frames opens the file anew."""

    path: Path
    header: Header
    timestamps: NDArray[np.float64] | None

    def blocks(self, size: int) -> Iterator[Raw]:
        return packed(self._frames(), size)

    def _frames(self) -> Iterator[Raw]:
        with _opened(self.path) as container:
            for frame in _decoded(container):
                picture = _picture(frame)[: self.header.channels]  # a grey palette gives three equal channels
                check_frame(self.path, picture, self.header)
                yield picture


@contextmanager
def open_video(path: Path) -> Iterator[_Video]:
    """The first video stream, turned and cropped by nothing; damaged packets are left out."""
    with _opened(path) as container:
        frame = next(_decoded(container), None)
        if frame is None:
            raise BadCapture(f"{path}: no frame in it can be decoded; record or convert it again.")
        stream = container.streams.video[0]
        picture = _picture(frame)
        # 8 bit mono AVI is written as a palette of greys.
        grey = frame.format.name == "pal8" and bool(np.all(picture == picture[:1]))
        picture = picture[:1] if grey else picture
        shape, plane = picture.shape, _PLANE.fullmatch(frame.format.name)
        bits = int((plane["bits"] or plane["mbits"] or 8) if plane else 8)
        mosaic = plane["mosaic"].upper() if plane and plane["mosaic"] else _mosaic(path)
        codec = stream.codec_context.name
        gamma = shape[0] == 3 or codec not in LOSSLESS
        tags = {**container.metadata, **stream.metadata}
        meta = {"codec": codec} | ({"date": tags["creation_time"]} if "creation_time" in tags else {})
        # A count that the bytes cannot hold is no count.
        promised = int(stream.frames) if 0 < stream.frames <= path.stat().st_size // MIN_PACKET_BYTES else None
    timestamps = _timestamps(path, meta.get("date", ""))
    frames = promised if timestamps is None else len(timestamps)
    full_scale = saturation(picture, bits)
    header = Header(frames, shape[0], shape[1], shape[2], picture.dtype, full_scale, mosaic, gamma, meta)
    yield _Video(path, header, timestamps)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A container that holds video."""
    import av

    with _Recoded(path) as file:
        # One demuxer, and a file that is open already: playlists and references to other files lead nowhere.
        name = _demuxer(path, file.read(16))
        if name == "mov":
            _check_samples(path, file)
        file.seek(0)
        options = {"protocol_whitelist": "file", "max_pixels": str(MAX_FRAME_PX)}
        try:
            container = av.open(
                file, format=name, options=options, metadata_errors="replace", buffer_size=IO_BUFFER_BYTES
            )
        except av.FFmpegError as error:
            raise BadCapture(
                f"{path}: cannot be opened as video ({error}); cut short? Record or convert it again."
            ) from error
        with container:
            if not container.streams.video:
                raise BadCapture(
                    f"{path}: no video stream in it (sound only, or cut short?); record or convert it again."
                )
            if container.streams.video[0].codec_context is None:
                raise BadCapture(
                    f"{path}: FFmpeg knows no decoder for the code of this video; write it as SER, or as raw AVI (Y800)."
                )
            container.streams.video[0].thread_type = "AUTO"
            yield container


def _demuxer(path: Path, head: bytes) -> str:
    """FFmpeg's name of the container, by its first bytes, else by its suffix: QuickTime of old begins with anything."""
    for at, magic, name in _CONTAINERS:
        if head.startswith(magic, at):
            return name
    return {".avi": "avi", ".mkv": "matroska"}.get(path.suffix.lower(), "mov")


def _check_samples(path: Path, file: BinaryIO) -> None:
    """Refuse a QuickTime table that claims more samples than the file has bytes: FFmpeg would take memory for them."""
    size = path.stat().st_size
    boxes = [(0, size)]
    while boxes:
        start, end = boxes.pop()
        while start + 8 <= end:
            file.seek(start)
            head = file.read(20)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            stop = start + length if 8 <= length <= end - start else end
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                boxes.append((start + 8, stop))
            elif kind == b"stsz" and int.from_bytes(head[16:20], "big") > size:
                raise BadCapture(f"{path}: claims more frames than it has bytes; damaged: copy or record it again.")
            start = stop


def _decoded(container: Any) -> Iterator[Any]:
    """Decoded frames in order of showing; a damaged packet costs its frame, not the capture."""
    import av

    for packet in container.demux(video=0):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        yield from (frame for frame in frames if not frame.is_corrupt)


def _picture(frame: Any) -> Raw:
    """One frame (channel, y, x): grey and mosaics as coded, the rest as RGB."""
    plane = _PLANE.fullmatch(frame.format.name)
    if plane is None:
        return np.ascontiguousarray(frame.to_ndarray(format="rgb24").transpose(2, 0, 1))
    wide = (plane["bits"] or plane["mbits"] or "8") != "8"
    stored = np.dtype(np.uint8 if not wide else ">u2" if plane["end"] == "be" else "<u2")
    data = frame.planes[0]
    lines = np.frombuffer(data, np.uint8).reshape(-1, data.line_size)[: frame.height]
    codes = np.ascontiguousarray(lines[:, : frame.width * stored.itemsize]).view(stored)
    return codes.astype(stored.newbyteorder("="))[None]


def _timestamps(path: Path, date: str) -> NDArray[np.float64] | None:
    """Creation time plus presentation times, from the index alone; None unless the container knows when it was made."""
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    start = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    with _opened(path) as container:
        step = float(container.streams.video[0].time_base)
        stamps = [p.pts for p in container.demux(video=0) if p.size and not p.is_discard]
    if not stamps or None in stamps or start <= 0:
        return None
    times = np.sort(np.array(stamps, np.float64))
    result: NDArray[np.float64] = start + (times - times[0]) * step
    return result


def write_movie(path: Path, frames: Iterable[Raw], fps: float, bits_per_px: float) -> None:
    """RGB frames (channel, y, x) of 8 bits as H.264 4:2:0 in MP4, about so many bits per pixel; appears when whole."""
    import av

    try:
        with atomic(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
            stream: Any = None
            for frame in frames:
                if stream is None:
                    stream = _h264(container, frame.shape, fps, bits_per_px)
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.transpose(1, 2, 0)), format="rgb24")
                container.mux(stream.encode(picture))
            if stream is None:
                raise ValueError("no frames to write: a movie needs at least one")
            container.mux(stream.encode())
    except av.FFmpegError as error:
        raise OSError(f"FFmpeg: {error}") from error


def _h264(container: Any, shape: tuple[int, ...], fps: float, bits_per_px: float) -> Any:
    """A stream for frames of `shape` (channel, y, x)."""
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
    stream.height, stream.width, stream.pix_fmt = shape[1], shape[2], "yuv420p"
    stream.bit_rate = int(bits_per_px * shape[1] * shape[2] * fps)
    stream.thread_count = 1  # the same frames give the same file
    return stream


VIDEO = Format(
    "video",
    "AVI, MP4, MOV and MKV video",
    ((".avi", ".mp4", ".m4v", ".mov", ".mkv"),),
    tuple((at, magic) for at, magic, _ in _CONTAINERS),
    open_video,
)
