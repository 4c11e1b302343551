"""A capture: one video with its calibration frames, known by the content of its files, not by their names."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.captures.file_stability import state_digest
from storage.captures.readers import Header, fingerprint
from storage.errors import BadCapture, Unsettled

MIN_FRAMES = 4
"""With fewer usable frames none can be held out to evaluate the result."""

MIN_SIDE_PX = 16
"""Smaller frames hold too few frequencies to measure noise and seeing: below 10 pixels a step fails."""


@dataclass(frozen=True)
class Capture:
    """One video of one target, and what calibrates it."""

    path: Path
    """The file, or the folder of frames."""
    fingerprint: str
    """sha256 of its content."""
    dark: Path | None = None
    """Mean dark frame."""
    flat: Path | None = None
    """Mean flat field."""
    calibration: tuple[str, str] = ("", "")
    """Fingerprints of dark and flat."""
    exposure_s: float | None = None
    """Exposure of a frame from a log or the settings; None: the capture itself tells it."""
    mosaic: str = ""
    """Colours of the sensor's cell, from the settings; empty: the capture itself tells them."""
    state: str = field(default="", compare=False, repr=False)
    """Digest of sizes and times of its files when the fingerprint was taken; empty: not known."""

    @property
    def name(self) -> str:
        """Its file name, printable whatever bytes the name has."""
        return os.fsencode(self.path.name).decode("utf-8", "replace")

    @property
    def identity(self) -> dict[str, Any]:
        """What makes its frames what they are: content only, so that a renamed or moved file is the same capture."""
        exposure = {} if self.exposure_s is None else {"exposure_s": self.exposure_s}
        mosaic = {"mosaic": self.mosaic} if self.mosaic else {}
        return {"fingerprint": self.fingerprint, "calibration": list(self.calibration), **exposure, **mosaic}

    def check(self) -> None:
        """Refuse files that have changed since the fingerprint was taken."""
        if self.state and state_digest(self.path) != self.state:
            raise Unsettled(
                f"{self.path}: changed while it was read; wait until it is recorded or copied, then run the same again"
            )


def capture_at(
    path: Path,
    dark: Path | None = None,
    flat: Path | None = None,
    exposure_s: float | None = None,
    known: Callable[[Path], str] = fingerprint,
    mosaic: str | None = None,
) -> Capture:
    """Read the fingerprints of a capture and its calibration frames; `known` may remember them."""
    state = state_digest(path)
    prints = tuple(known(p) if p is not None else "" for p in (dark, flat))
    return Capture(path.absolute(), known(path), dark, flat, (prints[0], prints[1]), exposure_s, mosaic or "", state)


def check_size(path: Path, header: Header) -> None:
    """Refuse frames that are too small to be restored."""
    if min(header.height, header.width) < MIN_SIDE_PX:
        raise BadCapture(
            f"{path}: frames of {header.width} x {header.height} pixels; at least {MIN_SIDE_PX} x {MIN_SIDE_PX} are "
            f"needed: record a larger part of the sensor"
        )


def check_finite(path: Path, name: str, mean: NDArray[Any]) -> None:
    """Refuse a dark or flat with pixels that are not finite."""
    bad = int(np.count_nonzero(~np.isfinite(mean)))
    if bad:
        raise BadCapture(
            f"{path}: {bad} of {mean.size} pixels of the {name} are not finite (NaN or Inf); make the {name} again, or leave "
            f"it out of [camera]"
        )
