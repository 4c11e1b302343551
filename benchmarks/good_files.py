"""Makers of good files, one for each format: what a camera program writes, small."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import tifffile
from astropy.io import fits

from storage.captures.readers.ser import write_ser

Rng = np.random.Generator
SHAPE = (6, 20, 24)


def frames(rng: Rng, dtype: Any = np.uint8, shape: tuple[int, ...] = SHAPE) -> Any:
    """Frames that would be good."""
    return rng.integers(20, 200, shape).astype(dtype)


def ser(rng: Rng, path: Path) -> Path:
    write_ser(path, frames(rng, np.uint16), 12, 1.7e9 + np.arange(SHAPE[0]))
    return path


def fits_cube(rng: Rng, path: Path, **cards: Any) -> Path:
    hdu = fits.PrimaryHDU(frames(rng, np.uint16))
    hdu.header["DATE-OBS"] = "2026-11-20T22:00:00"
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


def fits_packed(rng: Rng, path: Path) -> Path:
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(frames(rng, np.int16))]).writeto(path)
    return path


def video(rng: Rng, path: Path) -> Path:
    codec, pixels = {".avi": ("rawvideo", "gray"), ".mp4": ("mpeg4", "yuv420p")}.get(path.suffix, ("ffv1", "gray"))
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = SHAPE[1], SHAPE[2], pixels
        for codes in frames(rng):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(codes, format="gray")))
        container.mux(stream.encode())
    return path


def tiff(rng: Rng, path: Path) -> Path:
    tifffile.imwrite(path, frames(rng, np.uint16), photometric="minisblack")
    return path


def hdf5(rng: Rng, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=frames(rng), chunks=(1, *SHAPE[1:]), compression="gzip")
        file["timestamps"] = np.arange(SHAPE[0], dtype=float)
        file["frames"].attrs["camera"] = "x"
    return path


GOOD: dict[str, Callable[[Rng, Path], Path]] = {
    "a.ser": ser, "a.fits": fits_cube, "b.fits": fits_packed, "a.avi": video, "a.mp4": video, "a.mkv": video,
    "a.tif": tiff, "a.h5": hdf5,
}  # fmt: skip
