"""What capture programs write beside a video: target, filter, exposure, scale and time from SharpCap and FireCapture logs."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from storage.captures.filter_names import wavelength_nm

MAX_LOG_BYTES = 65536
"""A settings log has a few kilobytes; no more of it is read."""
MAX_LOGS = 20
"""At most this many text files in a folder of frames are searched for a log."""
MAX_VALUE_CHARS = 200
"""No value in a log is longer; the rest of one that is is left out."""

TARGETS = {
    "planet": "mercury venus mars jupiter jup saturn sat uranus neptune neptun pluto merkur jupiters mercure saturne",
    "moon": "moon luna lunar mond lune",
    "sun": "sun solar sonne soleil sol",
    "satellite": "iss tiangong satellite satellit css hst",
    "stars": "star stars stern sterne etoile etoiles",
}
"""Profile: words by which capture programs and people call such targets."""
_PROFILE = {word: profile for profile, words in TARGETS.items() for word in words.split()}

_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
_UNITS_S = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0}
_DAYS = {"dd": r"(?P<d>\d\d)", "MM": r"(?P<m>\d\d)", "yyyy": r"(?P<y>\d{4})", "yy": r"(?P<y>\d\d)"}


@dataclass(frozen=True)
class Log:
    """The contents of a capture's log; None and empty where they are missing or impossible."""

    target: str = ""
    """As it is called there."""
    camera: str = ""
    """Name of the camera."""
    filter: str = ""
    """Name of the filter."""
    exposure_s: float | None = None
    """Exposure of a frame."""
    scale_arcsec: float | None = None
    """Angle of a pixel."""
    focal_length_mm: float | None = None
    """Effective focal length."""
    started: datetime | None = None
    """Local time when the recording began."""

    @property
    def profile(self) -> str | None:
        """The kind of target."""
        return profile_of(self.target)

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The same as settings; what is not known is left out."""
        telescope = {
            "pixel_scale_arcsec": self.scale_arcsec,
            "focal_length_mm": self.focal_length_mm,
            "wavelength_nm": wavelength_nm(self.filter),
        }
        tables = {"telescope": telescope, "camera": {"exposure_s": self.exposure_s}}
        known = {name: {k: v for k, v in table.items() if v is not None} for name, table in tables.items()}
        return {name: table for name, table in known.items() if table}


def log_of(capture: Path) -> Log:
    """The log beside a capture, or an empty one: SharpCap's NAME.CameraSettings.txt, FireCapture's NAME.txt.

    Of a folder of frames, the log in it or beside it.
    """
    stem = capture.name if capture.is_dir() else capture.stem
    places = [capture.parent / f"{stem}.CameraSettings.txt", capture.parent / f"{stem}.txt"]
    if capture.is_dir():
        with suppress(OSError):
            places += sorted(p for p in capture.glob("*.txt") if not p.name.startswith("."))[:MAX_LOGS]
    for path in places:
        text = _text(path, capture.parent)
        if re.match(r"\W*FireCapture", text):
            return _firecapture(_pairs(text))
        if path.name.lower().endswith(".camerasettings.txt") and text:
            return _sharpcap(_pairs(text), text)
    return Log()


def profile_of(name: str) -> str | None:
    """The kind of target in a name: the first word that is one (Jupiter_21_42_31, 2026-08-12 Moon)."""
    words = re.findall(r"[a-zà-ÿ]+", name.lower())
    return next((_PROFILE[word] for word in words if word in _PROFILE), None)


def _text(path: Path, folder: Path) -> str:
    """A log's text; whatever is no plain file in this folder is empty. Windows writes UTF-8, UTF-16 or its code page."""
    try:
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            return ""
        with path.open("rb") as file:
            raw = file.read(MAX_LOG_BYTES)
    except OSError:
        return ""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _pairs(text: str) -> dict[str, str]:
    """KEY=VALUE lines; keys in small letters without blanks, the first of a repeated one counts."""
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        key, sign, value = line.partition("=")
        if sign:
            pairs.setdefault("".join(key.split()).lower(), value.strip()[:MAX_VALUE_CHARS].rstrip())
    return pairs


def _sharpcap(pairs: dict[str, str], text: str) -> Log:
    """An ini file with one section, named after the camera."""
    lines = (line.strip() for line in text.splitlines())
    head = next((line[1:-1] for line in lines if line.startswith("[") and line.endswith("]")), "")[:MAX_VALUE_CHARS]
    named = next((v for k, v in pairs.items() if k == "filter" or "filterwheel" in k), "")
    target = next((pairs[k] for k in ("objectname", "object", "target", "targetname") if pairs.get(k)), "")
    log = Log(target, head, named, _seconds(pairs.get("exposure", "")))
    moment = next((pairs[k] for k in ("startcapture", "timestamp", "midcapture") if pairs.get(k)), "")
    return replace(log, started=_moment(moment), focal_length_mm=_length(pairs))


def _firecapture(pairs: dict[str, str]) -> Log:
    """A headline with the version, then one setting a line."""
    scale = _within(_number(pairs.get("resolution", "")), 1e-3, 20) if '"' in pairs.get("resolution", "") else None
    log = Log(pairs.get("profile") or pairs.get("object", ""), pairs.get("camera", ""), pairs.get("filter", ""))
    exposure = _seconds(pairs.get("shutter", ""), "ms")
    return replace(
        log, exposure_s=exposure, scale_arcsec=scale, focal_length_mm=_length(pairs), started=_local(pairs)
    )  # fmt: skip


def _length(pairs: dict[str, str]) -> float | None:
    keys = ("focallength", "focallength(mm)", "focallengthmm")
    return _within(_number(next((pairs[k] for k in keys if k in pairs), "")), 10, 1e6)


def _number(text: str) -> float | None:
    """The first number, with a decimal point or comma."""
    found = _NUMBER.search(text)
    return float(found[0].replace(",", ".")) if found else None


def _within(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None


def _seconds(text: str, unit: str = "s") -> float | None:
    """0.0800ms, 12,5 ms, 1.5s; a number alone is in `unit`s."""
    found = re.fullmatch(r"(\d+(?:[.,]\d+)?)\s*([a-zµ]*)\s*(?:\(.*\))?", text.strip().lower().replace("μ", "µ"))
    factor = _UNITS_S.get(found[2] or unit) if found else None
    value = float(found[1].replace(",", ".")) * factor if found and factor else None
    return value if value is not None and 1e-7 <= value < 100 else None


def _moment(text: str) -> datetime | None:
    """2026-08-12T18:28:45.5937053Z as local time; a time without a zone is local already."""
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        local = moment.astimezone().replace(tzinfo=None) if moment.tzinfo else moment
        return local if 1900 <= local.year <= 2200 else None
    except (ValueError, OverflowError, OSError):
        return None


def _local(pairs: dict[str, str]) -> datetime | None:
    """Date=080619 in Date_format=ddMMyy and Start=134126.410; from UT where only that is given (LT=UT -5h)."""
    pattern = re.sub("dd|MM|yyyy|yy", lambda m: _DAYS[m[0]], re.escape(pairs.get("date_format") or "ddMMyy"))
    once = all(pattern.count(f"?P<{part}>") == 1 for part in "dmy")
    day = re.fullmatch(pattern, pairs.get("date", "")) if once else None
    local = pairs.get("start", "")
    clock = re.match(r"(\d\d)\D?(\d\d)\D?(\d\d)", local or pairs.get("start(ut)", ""))
    try:
        if day is None:
            return None
        year = int(day["y"]) + (2000 if len(day["y"]) == 2 else 0)
        start = datetime(year, int(day["m"]), int(day["d"]), *(int(n) for n in clock.groups()) if clock else (12,))
        return start if local else start + timedelta(hours=_number(pairs.get("lt", "").partition("UT")[2]) or 0)
    except (ValueError, OverflowError):
        return None
