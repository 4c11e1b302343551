"""What a user asks for when captures of one turning planet are to become one sky."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from configs.request import CaptureRequest, Request, printable


class SessionRequest(Request):
    """Captures of one turning planet, one after the other, to become one sky."""

    name: str
    """Name of the session."""
    planet: str
    """Jupiter, Saturn or Mars."""
    parts: Annotated[tuple[CaptureRequest, ...], Field(min_length=2)]
    """The captures; each says its own folder of results."""
    slots: tuple[int, ...]
    """Channel of each capture that was taken through red, green or blue; -1: all of its own channels."""
    out: Path
    """Folder that receives sky.fits, sky.png, sky.tif, stack.fits, belief.fits, report.json and report.html."""
    store: Path | None = None
    """Where results of steps are kept; none: STILLSKY_STORE, or the user's cache folder."""
    as_published: bool = False
    """Take the captures as their folders show them, of however few frames; otherwise each is restored where it is not done."""

    @property
    def title(self) -> str:
        """Name of its run."""
        return printable(self.name)
