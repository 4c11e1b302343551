"""What a user asks for: the parameters of the flows, typed for the command line and for the form in the Prefect UI."""

import json
import os
import re
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from configs.colour import Filter
from configs.profiles import Profile
from configs.section import Section

TITLES = {
    "out": "Folder for the results",
    "config": "Settings file",
    "overrides": "Single settings",
    "dask": "Dask scheduler",
    "fresh": "Do everything again",
    "quick": "Preview",
    "budget_s": "Longest time in seconds",
    "night": "The night's folder",
    "since": "From night",
    "until": "Up to night",
    "by": "Over by",
    "retry_failed": "Try failed captures again",
    "winjupos": "Name for WinJUPOS",
}
"""Field: what the form in the Prefect UI calls it, where its name alone does not say it."""


def _title(name: str, field: Any) -> str:
    return TITLES.get(name, name.replace("_", " ").capitalize())


class Request(Section):
    """What all requests can do; their fields are not shared, for the form shows them in the order of their definition."""

    model_config = ConfigDict(field_title_generator=_title)

    def anchored(self, folder: Path) -> Self:
        """The same request with absolute paths: relative ones start at `folder`."""
        values = {name: _anchored(getattr(self, name), folder) for name in type(self).model_fields}
        return self.model_copy(update=values | {"overrides": _anchored_overrides(values.get("overrides", ()), folder)})


_DATE = re.compile(r"(?<!\d)(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?!\d)")


def _night_in(path: Path) -> str:
    """The night that the folders of a capture are named after: the nearest date, else the nearest folder."""
    dated = (_DATE.search(folder.name) for folder in path.parents)
    found = next(filter(None, dated), None)
    return "-".join(found.groups()) if found else path.parent.name


class CaptureRequest(Request):
    """One capture to restore."""

    capture: Path
    """The video, the FITS cube, or the folder of frames."""
    out: Path | None = None
    """Folder that receives sky.fits, sky.png, stack.fits, report.json and report.html; none: a new one for this request
    in the folder of results, named after the capture."""
    config: Path | None = None
    """Your settings (TOML)."""
    profile: Profile | None = None
    """Kind of target: how sky.png is stretched, nothing of the solve; none: what the capture's log or name says."""
    overrides: tuple[str, ...] = ()
    """Single settings, each section.key=value."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What computes: auto takes a graphics card where there is one that works."""
    dask: str | None = None
    """Address of a Dask scheduler (tcp://host:8786) whose workers see the store and solve side by side; none: this machine."""
    store: Path | None = None
    """Where results of steps are kept; none: STILLSKY_STORE, or the user's cache folder."""
    fresh: bool = False
    """Forget what the store holds of this capture and do everything again."""
    quick: bool = False
    """A preview: the stack, and the 64 luckiest frames in few steps. The full run replaces it and repeats no step before."""
    budget_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Longest time, in seconds: as many of the luckiest frames are solved as fit by the forecast; none: all."""
    winjupos: bool = False
    """Write sky.png and sky.tif a second time, under the name that WinJUPOS reads: 2026-11-20-2214_3-Jup."""
    filter: Filter | None = None
    """Filter of a part of a colour sky: it picks its value of telescope.wavelength_nm; none: not a part of one."""
    night: Path | None = None
    """The night's folder it belongs to: what lies there beside it counts, a stillsky.toml and the capture program's log."""

    @property
    def title(self) -> str:
        """Name of its run: the capture and its night."""
        return printable(", ".join(filter(None, (self.capture.name, _night_in(self.capture)))))


class ColourRequest(Request):
    """Captures of one target through filters, to be laid on each other as one colour sky."""

    name: str
    """Name of the colour sky."""
    parts: Annotated[tuple[CaptureRequest, ...], Field(min_length=3, max_length=4)]
    """Red, green, blue, and perhaps luminance; each says its filter and its own folder of results."""
    out: Path
    """Folder that receives sky.fits (3, y, x), sky.png, sky.tif, stack.fits, report.json and report.html."""
    store: Path | None = None
    """Where results of steps are kept; none: STILLSKY_STORE, or the user's cache folder."""
    winjupos: bool = False
    """Write sky.png and sky.tif a second time, under the name that WinJUPOS reads."""
    as_published: bool = False
    """Take the parts as their folders show them, of however few frames; otherwise each is restored where it is not done."""

    @property
    def title(self) -> str:
        """Name of its run: the colour sky and its night."""
        return printable(", ".join(filter(None, (self.name, _night_in(self.parts[0].capture)))))


class NightRequest(Request):
    """Every capture of a night to restore."""

    folder: Path
    """Where the captures lie, in folders of any depth."""
    out: Path | None = None
    """Folder that receives one folder per capture, and night.json; none: `restored` inside the night's folder."""
    config: Path | None = None
    """Your settings (TOML) for all captures; a stillsky.toml beside or above a capture wins over it."""
    profile: Profile | None = None
    """Kind of target, where a capture's own files do not say which: how sky.png is stretched, nothing of the solve."""
    overrides: tuple[str, ...] = ()
    """Single settings for all captures, each section.key=value; they win over everything."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What computes: auto takes a graphics card where there is one that works."""
    dask: str | None = None
    """Address of a Dask scheduler (tcp://host:8786) whose workers see the store and solve side by side; none: this machine."""
    store: Path | None = None
    """Where results of steps are kept; none: STILLSKY_STORE, or the user's cache folder."""
    since: date | None = None
    """Only nights from this one on. A night lasts from noon to noon, local time, and has the date of its evening."""
    until: date | None = None
    """Only nights up to this one, itself included."""
    by: time | None = None
    """Local time by which it is to be over, e.g. 08:00: captures take fewer frames, or stay previews; none: no such time."""
    quick: bool = True
    """Whether captures whose full run takes long get a preview first."""
    winjupos: bool = False
    """Write every sky.png and sky.tif a second time, under the name that WinJUPOS reads: 2026-11-20-2214_3-Jup."""
    retry_failed: bool = False
    """Try captures again that failed before although they, the settings and the version have not changed since."""

    @property
    def title(self) -> str:
        """Name of its run: the folder, and the night where it is one only."""
        one = f", {self.since}" if self.since and self.since == self.until else ""
        return printable(f"night in {self.folder.name or self.folder}{one}")


class ServeRequest(Request):
    """What `stillsky serve` serves."""

    inbox: Path | None = None
    """Folder watched for finished captures, and gone through by every night run; none: only what is asked for in the UI."""
    out: Path | None = None
    """Folder that receives the results; none: `restored` inside the inbox."""
    cron: str = "0 8 * * *"
    """When the night run starts (minute, hour, day of month, month, day of week); empty: never by itself."""
    timezone: str | None = None
    """Time zone of the cron, e.g. Europe/Berlin; none: this machine's."""
    host: str = "127.0.0.1"
    """Address that the server listens on; the default answers this machine only."""
    auth: Literal["password", "none"] = "password"
    """password: the server asks for the one in PREFECT_SERVER_API_AUTH_STRING, else for one made at the first start and
    kept in the store as prefect/password; none: whoever reaches the server may do everything it can do."""
    server_name: tuple[str, ...] = ()
    """Names by which browsers reach the server besides localhost, this machine's own name and addresses in numbers."""
    allow: tuple[Path, ...] = ()
    """Folders, besides inbox and results, that requests by form or API may read captures from and write results to."""
    port: Annotated[int, Field(ge=0, le=65535)] = 4200
    """Port of the server; 0: any that is free."""
    database: str | None = None
    """Prefect's database, e.g. postgresql+asyncpg://user:password@host/name; none: an SQLite file in the store."""
    at_once: Annotated[int, Field(ge=1, le=64)] = 2
    """How many runs may be under way at a time; those that want the same device still compute one after the other."""
    name: Annotated[str, Field(pattern=r"^[\w.-]{1,40}$")] = "stillsky"
    """Name of the deployments; machines that join one server need different names."""
    config: Path | None = None
    """Your settings (TOML) for all captures."""
    profile: Profile | None = None
    """Kind of target: how sky.png is stretched, nothing of the solve; none: what the capture's log or name says."""
    overrides: tuple[str, ...] = ()
    """Single settings for all captures, each section.key=value."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What computes: auto takes a graphics card where there is one that works."""
    dask: str | None = None
    """Address of a Dask scheduler (tcp://host:8786) whose workers see the store and solve side by side; none: this machine."""
    store: Path | None = None
    """Where results of steps, and Prefect's records, are kept; none: STILLSKY_STORE, or the user's cache folder."""

    @property
    def results(self) -> Path | None:
        """Folder that receives the results, where one is known."""
        return self.out or (self.inbox / "restored" if self.inbox else None)


def printable(name: str) -> str:
    """A file's name as text: bytes that are none, and control characters, are replaced."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _anchored(value: Any, folder: Path) -> Any:
    if isinstance(value, tuple):
        return tuple(_anchored(item, folder) for item in value)
    return folder / value if isinstance(value, Path) else value


def _anchored_overrides(overrides: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    return tuple(
        f"{key}={json.dumps(str(folder / path), ensure_ascii=False)}"
        if (path := calibration_path(override))
        else override
        for override in overrides
        for key in (override.partition("=")[0],)
    )


def calibration_path(override: str) -> str:
    """The path in a `camera.dark=path` or `camera.flat=path`; empty in any other setting."""
    key, _, text = override.partition("=")
    if key.strip() not in ("camera.dark", "camera.flat"):
        return ""
    try:
        return str(tomllib.loads(f"value = {text}")["value"])
    except tomllib.TOMLDecodeError:
        return text.strip()
