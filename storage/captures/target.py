"""What a capture shows and when it was recorded, as its log, its header and its name tell."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from storage.captures.readers import started
from storage.captures.sidecars import log_of

NOON_H = 12
"""A night lasts from noon to noon, local time, and has the date of its evening."""
MAX_TARGET_CHARS = 40
"""No target's name is longer; the rest of one that is is left out."""

_SYNONYMS = {
    "Mercury": "mercury merkur mercure",
    "Venus": "venus",
    "Mars": "mars",
    "Jupiter": "jupiter jup jupiters",
    "Saturn": "saturn sat saturne",
    "Uranus": "uranus",
    "Neptune": "neptune neptun",
    "Pluto": "pluto",
    "Moon": "moon luna lunar mond lune",
    "Sun": "sun solar sonne soleil sol",
    "ISS": "iss",
    "Tiangong": "tiangong css",
    "Hubble": "hst",
}
_NAMES = {word: name for name, words in _SYNONYMS.items() for word in words.split()}


def night_of(moment: datetime) -> date:
    """The evening of the night that a local time belongs to."""
    return (moment - timedelta(hours=NOON_H)).date()


@dataclass(frozen=True)
class Origin:
    """What a capture shows and when it was recorded; empty and None where nothing tells."""

    target: str = ""
    """As a person would call it: Jupiter, Moon, ISS."""
    started: datetime | None = None
    """Local time."""

    @property
    def night(self) -> date | None:
        """The evening of the night it belongs to."""
        return night_of(self.started) if self.started else None


def origin_of(capture: Path) -> Origin:
    """From the capture program's log, else from the header, else from the names of the capture and its folder."""
    log = log_of(capture)
    named = (log.target, capture.name if capture.is_dir() else capture.stem, capture.parent.name)
    target = next(filter(None, map(target_in, named)), "") or _printable(log.target)
    return Origin(target, started(capture) or log.started or _written(capture))


def target_in(name: str) -> str:
    """The target that a name holds (Jupiter_21_42_31, 2026-08-12 Mond); empty where it holds none."""
    words = re.findall(r"[a-zà-ÿ]+", name.lower())
    return next((_NAMES[word] for word in words if word in _NAMES), "")


def _written(capture: Path) -> datetime | None:
    """When a file was written last; None where that cannot be, or the file is no more."""
    with suppress(OSError):
        seconds = capture.stat().st_mtime
        return datetime.fromtimestamp(seconds) if 0 < seconds < 7e9 else None
    return None


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else " " for c in name).strip()[:MAX_TARGET_CHARS]
