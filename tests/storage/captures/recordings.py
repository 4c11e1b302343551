"""Small captures of a night: videos, cubes and folders of stills."""

from datetime import datetime
from pathlib import Path

import numpy as np
from astropy.io import fits
from PIL import Image

from storage.captures.night import (
    night_at,
)  # fmt: skip
from storage.captures.readers.ser import write_ser

FRAMES = np.random.default_rng(4).integers(0, 255, (5, 8, 9)).astype(np.uint8)


def video(path: Path, started: datetime | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stamps = None if started is None else started.timestamp() + np.arange(len(FRAMES))
    write_ser(path, FRAMES, 8, stamps)
    return path


def cube(path: Path, frames: np.ndarray = FRAMES, when: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu = fits.PrimaryHDU(frames)
    if when:
        hdu.header["DATE-OBS"] = when
    hdu.writeto(path)
    return path


def stills(folder: Path, count: int = 6) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(FRAMES[number % 5]).save(folder / f"f{number}.png")
    return folder


def names(folder: Path, *skip: Path) -> dict[str, str]:
    return {str(c.path.relative_to(folder)): c.name for c in night_at(folder, skip).captures}
