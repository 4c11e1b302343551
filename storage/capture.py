"""A capture: one video with its calibration frames, known by the content of its files, not by their names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.readers import fingerprint


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

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path.name

    @property
    def identity(self) -> dict[str, Any]:
        """What makes its frames what they are: content only, so that a renamed or moved file is the same capture."""
        return {"fingerprint": self.fingerprint, "calibration": list(self.calibration)}


def capture_at(path: Path, dark: Path | None = None, flat: Path | None = None) -> Capture:
    """Read the fingerprints of a capture and its calibration frames."""
    marks = tuple(fingerprint(p) if p is not None else "" for p in (dark, flat))
    return Capture(path.absolute(), fingerprint(path), dark, flat, (marks[0], marks[1]))
