"""ingest: the capture's frames into the store, lossless, each with the reasons why it may be unusable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Ingest
from storage.captures.capture import MIN_FRAMES, Capture, check_finite, check_size
from storage.captures.readers import Header, Reader, open_capture, response
from storage.declared import Growing
from storage.errors import BadCapture
from tasks.numerics.fourier.sampling import BAYER
from tasks.numerics.frames.quality import black, fingerprints, saturated
from tasks.products.contents import Frames
from tasks.products.frames import FLAGS, flag, frames_within
from tasks.running.step import Work, step

NEARLY_FULL = 0.995
"""Cameras have been seen to clip one code below the top."""
LEVEL_PIXELS = 5000
"""Pixels, spread over a frame, that tell its dark level."""
COMPRESSION = {"lzf": "lzf", "none": None}
"""HDF5 filter of each value of ingest.compression."""


@step(version="4", retries=2)
def ingest(work: Work, capture: Capture, settings: Ingest) -> None:
    """Read every frame once, in blocks; mark black, saturated and duplicated ones; keep dark and flat beside them."""
    with open_capture(capture.path) as reader:
        header = reader.header
        mosaic = _mosaic(capture, header)
        check_size(capture.path, header)
        dark, flat = (
            None if path is None else _calibration(name, path, header)
            for name, path in (("dark", capture.dark), ("flat", capture.flat))
        )
        with work.draft() as draft:
            raw = draft.growing("raw", header.shape, header.dtype, COMPRESSION[settings.compression])
            flux, flags = _copy(work, reader, raw, settings)
            flags |= flag("black") * black(flux, settings.black_share).astype(np.uint8)
            _check_usable(capture, flags)
            times = None if reader.timestamps is None else np.asarray(reader.timestamps, np.float64)[: len(flags)]
            exposure = {} if capture.exposure_s is None else {"exposure": str(capture.exposure_s)}
            draft.fill(
                Frames(
                    raw=raw,
                    flags=flags,
                    flux=flux,
                    capture=capture.name,
                    fingerprint=capture.fingerprint,
                    full_scale=float(header.full_scale or 0.0),
                    facts={key: str(value) for key, value in {**header.meta, **exposure}.items()},
                    mosaic=mosaic,
                    response=response(header) if header.gamma else None,
                    dark=dark,
                    flat=flat,
                    timestamps=times,
                )
            )
            capture.check()


def _check_usable(capture: Capture, flags: NDArray[np.uint8]) -> None:
    usable = int((flags == 0).sum())
    if usable >= MIN_FRAMES:
        return
    counts = {name: int((flags & flag(name) > 0).sum()) for name in FLAGS}
    lost = ", ".join(f"{many} {name}" for name, many in counts.items() if many)
    raise BadCapture(
        f"{capture.path}: {usable} usable frame{'s' * (usable != 1)} of {len(flags)}{f' ({lost})' if lost else ''}; "
        f"at least {MIN_FRAMES} are needed: record a longer video"
    )


def _mosaic(capture: Capture, header: Header) -> str:
    """The mosaic of the raw frames: what the settings say, else what the file says; empty where there is none."""
    mosaic = capture.mosaic or header.bayer or ""
    if mosaic and mosaic not in BAYER:
        raise BadCapture(
            f"{capture.path}: a colour mosaic {mosaic}; solved are {', '.join(BAYER)}: convert the video to RGB"
        )
    if mosaic and header.channels != 1:
        raise BadCapture(
            f"{capture.path}: frames of {header.channels} channels have no mosaic, [camera] mosaic says {mosaic}; "
            f"leave it out"
        )
    return mosaic


def _copy(work: Work, reader: Reader, raw: Growing, settings: Ingest) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Stream the frames into `raw`; memory holds one block. Returns flux above the frame's own dark level, and flags."""
    full = reader.header.full_scale
    digests: set[str] = set()
    flux, flags = [np.zeros(0, np.float32)], [np.zeros(0, np.uint8)]
    for block in reader.blocks(frames_within(reader.header.shape, settings.block_frames)):
        raw.append(block)
        bright = saturated(block, NEARLY_FULL * full) > settings.saturated_share if full else np.zeros(len(block), bool)
        flags.append(bright.astype(np.uint8) * flag("saturated") | _repeats(block, digests) * flag("duplicate"))
        flux.append(_flux(block))
        work.progress(len(raw), reader.header.frames or 0)
    return np.concatenate(flux), np.concatenate(flags).astype(np.uint8)


def _repeats(block: NDArray[Any], digests: set[str]) -> NDArray[np.uint8]:
    """1 for each frame that is byte for byte an earlier one."""
    out = np.zeros(len(block), np.uint8)
    for i, mark in enumerate(fingerprints(block)):
        out[i] = mark in digests
        digests.add(mark)
    return out


def _flux(block: NDArray[Any]) -> NDArray[np.float32]:
    """(frame,) mean above the first percentile: light without the camera's offset."""
    flat = block.reshape(len(block), -1)
    low = np.percentile(flat[:, :: max(1, flat.shape[1] // LEVEL_PIXELS)], 1, axis=1)
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
