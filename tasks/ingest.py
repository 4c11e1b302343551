"""ingest: the capture's frames into the store, lossless, each with the reasons why it may be unusable."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Ingest
from storage.captures.capture import MIN_FRAMES, Capture, check_finite, check_size
from storage.captures.readers import Header, Reader, open_capture, response
from storage.errors import BadCapture
from tasks.numerics.frames.quality import black, fingerprints, saturated
from tasks.products.frames import flag
from tasks.running.step import Work, step

ALMOST_FULL = 0.995
"""Cameras have been seen to clip one code below the top."""


@step(version="1", retries=2)
def ingest(work: Work, capture: Capture, settings: Ingest) -> None:
    """Read every frame once, in blocks; mark black, saturated and duplicated ones; keep dark and flat beside them."""
    with ExitStack() as stack:
        reader = stack.enter_context(open_capture(capture.path))
        _refuse_mosaic(capture, reader.header)
        check_size(capture.path, reader.header)
        file = stack.enter_context(work.create())
        flux, flags = _copy(work, reader, file, settings)
        flags |= flag("black") * black(flux, settings.black_share).astype(np.uint8)
        usable = int((flags == 0).sum())
        if usable < MIN_FRAMES:
            raise BadCapture(
                f"{capture.path}: {usable} usable frames of {len(flags)} (the others are black, saturated or repeated); "
                f"at least {MIN_FRAMES} are needed: record a longer video"
            )
        file["flags"] = flags
        file["flux"] = flux
        if reader.header.gamma:
            file["response"] = response(reader.header)
        for name, path in (("dark", capture.dark), ("flat", capture.flat)):
            if path is not None:
                file[name] = _calibration(name, path, reader.header)
        if reader.timestamps is not None:
            file["timestamps"] = np.asarray(reader.timestamps)[: len(flags)]
        _describe(file, capture, reader.header)
        capture.check()


def _refuse_mosaic(capture: Capture, header: Header) -> None:
    if header.bayer is not None:
        raise BadCapture(
            f"{capture.path}: a colour mosaic ({header.bayer}); mosaics are not solved yet: "
            f"record mono, or convert the video to RGB with your capture program"
        )


def _copy(work: Work, reader: Reader, file: Any, settings: Ingest) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Stream the frames into `raw`; memory holds one block. Returns flux above the frame's own dark level, and flags."""
    head = reader.header
    raw = file.create_dataset(
        "raw",
        shape=(0, *head.shape),
        maxshape=(None, *head.shape),
        chunks=(1, *head.shape),
        dtype=head.dtype,
        shuffle=settings.compression == "lzf",
        compression=None if settings.compression == "none" else settings.compression,
        fletcher32=True,
    )
    seen: set[str] = set()
    flux: list[NDArray[np.float32]] = []
    flags: list[NDArray[np.uint8]] = []
    done = 0
    for block in reader.blocks(settings.block_frames):
        raw.resize(done + len(block), axis=0)
        raw[done:] = block
        full = head.full_scale
        too_bright = (
            saturated(block, ALMOST_FULL * full) > settings.saturated_share if full else np.zeros(len(block), bool)
        )
        flags.append(too_bright.astype(np.uint8) * flag("saturated") | _repeats(block, seen) * flag("duplicate"))
        flux.append(_flux(block))
        done += len(block)
        work.progress(done, head.frames or 0)
    if not flux:
        return np.zeros(0, np.float32), np.zeros(0, np.uint8)
    return np.concatenate(flux), np.concatenate(flags).astype(np.uint8)


def _repeats(block: NDArray[Any], seen: set[str]) -> NDArray[np.uint8]:
    """1 for each frame that is byte for byte an earlier one."""
    out = np.zeros(len(block), np.uint8)
    for i, mark in enumerate(fingerprints(block)):
        out[i] = mark in seen
        seen.add(mark)
    return out


def _flux(block: NDArray[Any]) -> NDArray[np.float32]:
    """(frame,) mean above the first percentile: light without the camera's offset."""
    flat = block.reshape(len(block), -1)
    low = np.percentile(flat[:, :: max(1, flat.shape[1] // 20000)], 1, axis=1)
    return np.asarray(flat.mean(axis=1, dtype=np.float64) - low, np.float32)


def _calibration(name: str, path: Path, header: Header) -> NDArray[np.float32]:
    """Mean of a calibration capture (channel, y, x); a flat is scaled to mean one, its unusable pixels set to one."""
    total, count = np.zeros(header.shape), 0
    with open_capture(path) as reader:
        if reader.header.shape != header.shape:
            raise BadCapture(
                f"{path}: the {name} has (channel, y, x) {reader.header.shape}, the capture {header.shape}; "
                f"give a {name} of the same camera settings, or leave it out of [camera]"
            )
        for block in _numbers(reader):
            total += block.sum(axis=0, dtype=np.float64)
            count += len(block)
    mean = total / max(count, 1)
    check_finite(path, name, mean)
    if name == "dark":
        return mean.astype(np.float32)
    level = np.median(mean, axis=(-2, -1), keepdims=True)
    if not (level > 0).all():
        raise BadCapture(f"{path}: the flat has no light (median {float(level.min()):.3g}); leave it out of [camera]")
    return mean.astype(np.float32)


def _numbers(reader: Reader) -> Iterator[NDArray[Any]]:
    """Frames of a calibration capture in linear light, like those of the capture."""
    for block in reader.blocks(8):
        yield response(reader.header)[block] if reader.header.gamma else block


def _describe(file: Any, capture: Capture, header: Header) -> None:
    file.attrs["capture"] = capture.name
    file.attrs["fingerprint"] = capture.fingerprint
    file.attrs["full_scale"] = float(header.full_scale or 0.0)
    told = {} if capture.exposure_s is None else {"exposure": str(capture.exposure_s)}
    for key, value in {**header.meta, **told}.items():
        file.attrs[f"meta_{key}"] = str(value)
