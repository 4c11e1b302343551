"""A night: the captures in a folder and its sub-folders, each with where its results go and what lies beside it."""

import logging
import math
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from configs.colour import Filter, wavelength_of
from configs.load import Sidecars, load_config
from configs.request import CaptureRequest, NightRequest
from configs.schema import Config
from configs.shorten import preview
from storage.captures.capture import MIN_FRAMES
from storage.captures.file_stability import file_state
from storage.captures.filter_names import colour_filter, is_mono, told_band, wavelength_nm
from storage.captures.readers import FRAME_SUFFIXES, VIDEO_SUFFIXES, format_of, holds_one_frame, open_capture, started
from storage.captures.readers.base import MAX_COMPRESSION, natural
from storage.captures.sidecars import Log, log_of, profile_of
from storage.captures.target import night_of
from storage.errors import Hopeless, StillskyError
from storage.results.published import BURST, DEWARPED, ENHANCED, FILES, UNBELIEVED

T = TypeVar("T")
log = logging.getLogger("stillsky")

SETTINGS = "stillsky.toml"
"""A file of this name among the captures holds settings for those beside and below it."""
MAX_DEPTH = 64
"""Captures are searched for in folders nested this deep."""
MAX_NAMED = 3
"""Captures that a sentence names."""
MAX_NAME_CHARS = 400
"""Longest name of a capture's folder of results; file systems take paths of some thousand characters."""
_CALIBRATION = re.compile(
    r"(^|[\W_])(master[\W_]?)?(darks?|flats?|bias|offsets?|dark[\W_]?flats?)([\W_\d]|$)", re.IGNORECASE
)
_OURS = (*FILES, UNBELIEVED, *ENHANCED, *BURST, DEWARPED, "finished.fits", "finished.png", "finished.tif")
_OURS_ENDS = (".truth.fits", ".psfs.fits", "-finished.fits", "-finished.png", "-finished.tif")


@dataclass(frozen=True)
class Recording:
    """One capture of a night, before anything of its frames is read."""

    path: Path
    """The file, or the folder of frames."""
    name: str
    """Its folder below the folder of results: relative, without `..`, of plain letters, unique."""
    started: datetime
    """When it was recorded, local time."""
    log: Log
    """What the capture program wrote beside it."""

    @property
    def night(self) -> date:
        """The evening of the night it belongs to."""
        return night_of(self.started)


@dataclass(frozen=True)
class Night:
    """The captures of a folder, in the order of their recording."""

    captures: tuple[Recording, ...]
    """Every capture found."""

    def between(self, since: date | None, until: date | None) -> tuple[Recording, ...]:
        """Those of the nights from `since` to `until`, both included."""
        return tuple(c for c in self.captures if (since or date.min) <= c.night <= (until or date.max))


def night_at(folder: Path, skip: Iterable[Path] = ()) -> Night:
    """Find every capture in a folder; `skip` are folders and files that hold none (results, the store, darks)."""
    if not folder.is_dir():
        raise Hopeless(f"{folder}: there is no such folder; give the one that holds the night's captures")
    barred = {path.resolve() for path in skip}
    paths = [path for path in _found(folder, barred) if path.resolve() not in barred]
    names = _names(paths, folder)
    captures = [recording_of(path, names[path]) for path in paths]
    return Night(tuple(sorted(captures, key=lambda c: (c.started, c.name))))


def sidecars_of(capture: Path, folder: Path) -> tuple[Sidecars, str | None]:
    """What lies beside and above a capture, up to the night's folder: settings, and the kind of its target.

    The target is taken from the log, else from the capture's name, else from the nearest of its folders.
    """
    folder, capture = folder.absolute(), capture.absolute()
    above = [p for p in capture.parents if p == folder or folder in p.parents]
    places = [capture, *above] if capture.is_dir() else above
    files = tuple(p for p in (place / SETTINGS for place in reversed(places)) if _is_inside(p, folder))
    notes = _tried(capture, log_of) or Log()
    names = [capture.stem, *(p.name for p in above)]
    profile = notes.profile or next(filter(None, map(profile_of, names)), None)
    return Sidecars(notes.settings, files, folder), profile


def output_folder(out: Path, name: str) -> Path:
    """The folder for one capture's results; refused where a link would lead out of the folder of results."""
    path = out / name
    if not path.resolve().is_relative_to(out.resolve()):
        raise Hopeless(f"{path} leads out of the folder of results to {path.resolve()}; remove that link")
    return path


def _is_inside(path: Path, folder: Path) -> bool:
    try:
        return path.is_file() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a name too long, links in a circle
        return False


def _found(folder: Path, barred: set[Path]) -> Iterator[Path]:
    """Captures in a folder and below, folder by folder; links to folders are not followed."""
    ahead = [(folder, 0)]
    while ahead:
        place, depth = ahead.pop()
        if depth > MAX_DEPTH:
            log.warning("%s: nested more than %d folders deep; captures below are not searched for", folder, MAX_DEPTH)
            continue
        try:
            inside = sorted((p for p in place.iterdir() if not _left_out(p)), key=natural)
            yield from _captures_in(place, [p for p in inside if p.is_file()])
            inner = [p for p in inside if p.is_dir() and not p.is_symlink() and p.resolve() not in barred]
        except OSError as error:
            log.warning("%s: cannot be listed (%s)", place, error.strerror)
            continue
        ahead += [(p, depth + 1) for p in reversed(inner)]


def _captures_in(folder: Path, files: list[Path]) -> Iterator[Path]:
    """The captures among the files of one folder, and the folder itself where it is one."""
    yield from (p for p in files if p.suffix.lower() in VIDEO_SUFFIXES)
    stills = [p for p in files if p.suffix.lower() in FRAME_SUFFIXES]
    cubes = list(_cubes(stills))
    yield from cubes
    if len(stills) - len(cubes) >= MIN_FRAMES:
        yield folder


def _left_out(path: Path) -> bool:
    """Hidden, calibration frames by their name, results and truths of our own."""
    name = path.name.lower()
    ours = name in _OURS or name.endswith(_OURS_ENDS)
    return ours or name.startswith(".") or _CALIBRATION.search(path.stem if path.is_file() else path.name) is not None


def _cubes(stills: list[Path]) -> Iterator[Path]:
    """Files of many pictures among stills; a file as large as one that holds a single picture is not opened."""
    single: set[int] = set()
    for path in stills:
        size = path.stat().st_size
        if size not in single:
            if _many(path, len(stills)):
                yield path
            else:
                single.add(size)


def _many(path: Path, beside: int) -> bool:
    """Does a FITS or TIFF file hold more than one picture? One that cannot be read is a capture where no stills are."""
    if holds_one_frame(path):
        return False
    try:
        with open_capture(path) as reader:
            return (reader.header.frames or 0) > 1
    except StillskyError:
        return beside < MIN_FRAMES


def recording_of(path: Path, name: str) -> Recording:
    """One capture with its log. A file that cannot be parsed is left to its own run, which reports why."""
    notes = _tried(path, log_of) or Log()
    moment = _tried(path, started) or notes.started or _tried(path, _written)
    return Recording(path, name, moment or datetime.max - timedelta(days=1), notes)


def _tried(path: Path, read: Callable[[Path], T]) -> T | None:
    """The result of `read`; None where it raises anything: one file must not end a night."""
    try:
        return read(path)
    except Exception as error:
        log.warning("%s: %s: %s", path, type(error).__name__, error)
        return None


def _written(path: Path) -> datetime | None:
    """When a file was written last; None where that cannot be."""
    seconds = path.stat().st_mtime
    return datetime.fromtimestamp(seconds) if 0 < seconds < 7e9 else None


def _names(paths: list[Path], folder: Path) -> dict[Path, str]:
    """A folder for each capture's results, like its path: jupiter.ser and jupiter.avi are jupiter_ser and jupiter_avi."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in paths:
        inner = path.relative_to(folder).parts or (folder.resolve().name or "night",)
        last = inner[-1] if path.is_dir() else "_".join(filter(None, (path.stem, path.suffix[1:])))
        name = "/".join(plain_name(part) for part in (*inner[:-1], last))
        if len(name) > MAX_NAME_CHARS:
            name = f"{plain_name(last)}-{_digest('/'.join(inner))}"
        if name.casefold() in taken:
            name = f"{name}-{_digest('/'.join(inner))}"
        taken.add(name.casefold())
        names[path] = name
    return names


def folder_name(capture: Path) -> str:
    """A plain name for the folder of one capture's results."""
    return plain_name(capture.name if capture.is_dir() else "_".join(filter(None, (capture.stem, capture.suffix[1:]))))


def plain_name(part: str) -> str:
    """A name safe for file systems, shells and logs; where characters had to be replaced, with a digest of the original."""
    plain = re.sub(r"[^\w .+()=,@-]", "_", part).strip(" .")[:80].rstrip(" .") or "capture"
    return plain if plain == part else f"{plain}-{_digest(part)}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]


def night_settings(request: NightRequest) -> Config:
    """The settings of a night as a whole, from the user alone; a misspelt one is reported before anything starts.

    An aperture may stand there without the pixel scale: the captures' logs tell that.
    """
    scale = Sidecars({"telescope": {"pixel_scale_arcsec": 1.0}})
    return load_config(request.config, request.profile, request.overrides, scale)


def check_is_capture(path: Path) -> None:
    """Refuse what is no capture; a folder of captures with the command that restores all of them."""
    inside = {c.path: str(c.path.relative_to(path)) for c in night_at(path).captures} if path.is_dir() else {}
    if inside and path not in inside:
        named = ", ".join(list(inside.values())[:MAX_NAMED])
        raise Hopeless(
            f"{path} is a folder of captures ({named}), not one: `stillsky night {shlex.quote(str(path))}` "
            f"restores all of them, `stillsky restore` one"
        )
    format_of(path)


def capture_settings(request: CaptureRequest) -> Config:
    """The settings for a capture: what lies beside it counts too, up to the night's folder where it belongs to one.

    Of a preview they are shortened; a part of a colour sky has the wavelength of its filter.
    """
    found, profile = sidecars_of(request.capture, request.night or request.capture.parent)
    chosen = (request.profile or profile) if request.night is None else (profile or request.profile)
    if request.filter is not None:
        usual = {"wavelength_nm": wavelength_nm(request.filter), **found.log.get("telescope", {})}
        found = replace(found, log={**found.log, "telescope": usual})
    config = load_config(request.config, chosen, request.overrides, found)
    given = config.telescope.wavelength_nm
    if isinstance(given, tuple) and (filter_ := request.filter or _filter_of_mono(request.capture, config)) is not None:
        own = {"wavelength_nm": wavelength_of(given, filter_)}
        config = config.model_copy(update={"telescope": config.telescope.model_copy(update=own)})
    return preview(config) if request.quick else config


def _filter_of_mono(capture: Path, config: Config) -> Filter | None:
    """The filter that a mono capture's name or log tells: of several wavelengths only that one can be its own."""
    if config.camera.mosaic or not is_mono(capture):
        return None
    return colour_filter(told_band(capture, (_tried(capture, log_of) or Log()).filter))


def results_folder(request: NightRequest) -> Path:
    """Where a night's results go. Inside the night's folder it must be a real folder: the captures may not choose it."""
    if request.out is not None:
        return request.out.absolute()
    out = request.folder.absolute() / "restored"
    if out.is_symlink():
        raise Hopeless(f"{out} is a link; remove it, or say with --out where the results go")
    return out


def frame_bytes(capture: Path) -> int:
    """Size of a capture's frames as numbers: more than its file where that is compressed."""
    with suppress(OSError, StillskyError):
        size = file_state(capture).bytes
        with open_capture(capture) as reader:
            head = reader.header
        claimed = (head.frames or 0) * math.prod(head.shape) * head.dtype.itemsize
        return max(size, min(claimed, MAX_COMPRESSION * size))
    return 0
