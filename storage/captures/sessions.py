"""Sessions: captures of one turning planet, one after the other, split at 4 GB, by minutes or in filter cycles."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from configs.colour import COLOURS
from configs.finishing import Session
from configs.observatory import Site
from configs.schema import Config
from storage.captures.filter_names import told_band
from storage.captures.night import Recording, folder_name, night_at, recording_of
from storage.captures.planets import GLOBES, aspect, field_rotation_deg
from storage.captures.target import target_in
from storage.captures.unique_name import unique_name
from storage.errors import Hopeless

MIN_PARTS = 2
"""A session of fewer captures is a capture."""
SLOTS: dict[str, int] = {colour: slot for slot, colour in enumerate(COLOURS)}
"""Filters that make the channels of a colour sky."""


@dataclass(frozen=True)
class SessionGroup:
    """Captures that belong to one session, in the order of their recording."""

    name: str
    """Folder of its results below the folder of results: the planet and the local time."""
    planet: str
    parts: tuple[Recording, ...]
    slots: tuple[int, ...]
    """Channel of each part that was taken through red, green or blue; -1: all of its own channels."""


def sessions_in(captures: Iterable[Recording], settings_of: Callable[[Recording], Config | None]) -> list[SessionGroup]:
    """The sessions among captures; `settings_of` tells a capture's settings, None where they cannot be read.

    Captures of one planet in one folder, with one pixel scale, of which each begins soon after the one before. Through red, green
    and blue in turns they are one session in colour; through other filters each filter makes one.
    """
    kinds: dict[tuple[object, ...], list[tuple[Recording, Session]]] = defaultdict(list)
    for recording in captures:
        config, planet = settings_of(recording), planet_of(recording)
        if config is not None and planet in GLOBES and config.session.mode != "off":
            scale = config.telescope.scale_arcsec
            kinds[(planet, recording.path.parent, scale and round(scale, 4))].append((recording, config.session))
    groups = []
    for kind, members in kinds.items():
        for run in _in_time(sorted(members, key=lambda member: (member[0].started, member[0].name))):
            groups += list(_by_filter(str(kind[0]), run))
    taken: set[str] = set()
    return [replace(group, name=unique_name(group.name, taken)) for group in groups]


def session_of(paths: Sequence[Path], skip: Iterable[Path] = ()) -> SessionGroup:
    """The session of captures that a user named, or of the one folder that holds them; refused where they are none."""
    if len(paths) == 1 and paths[0].is_dir():
        recordings = list(night_at(paths[0], skip).captures)
    else:
        recordings = sorted((recording_of(p, folder_name(p)) for p in paths), key=lambda r: (r.started, r.name))
    if len(recordings) < MIN_PARTS:
        raise Hopeless(
            f"a session needs {MIN_PARTS} captures or more, and this is {len(recordings)}; `stillsky restore` restores one"
        )
    planets = {planet_of(recording) or "not known" for recording in recordings}
    if len(planets) > 1 or not planets <= set(GLOBES):
        raise Hopeless(
            f"the captures show {', '.join(sorted(planets))}, by their logs, names and folder; a session is of one planet that "
            f"turns: {', '.join(GLOBES)}"
        )
    groups = list(_by_filter(planets.pop(), recordings))
    if len(groups) != 1 or len(groups[0].parts) < len(recordings):
        said = ", ".join(f"{r.path.name}: {_filter_of(r) or 'no filter'}" for r in recordings)
        raise Hopeless(
            f"these captures were taken through different filters ({said}); name those of one filter, or of red, green and blue, "
            f"each at least once and one of them twice"
        )
    return replace(groups[0], name=PurePosixPath(groups[0].name).name)


def planet_of(recording: Recording) -> str:
    """The target of a capture, from its log, its name or its folder."""
    path = recording.path
    names = (recording.log.target, path.name if path.is_dir() else path.stem, path.parent.name)
    return next(filter(None, map(target_in, names)), "")


def _filter_of(recording: Recording) -> str:
    """The filter of a capture; empty: none is told."""
    return told_band(recording.path, recording.log.filter)


def _in_time(members: Sequence[tuple[Recording, Session]]) -> Iterator[list[Recording]]:
    """Runs of captures without a long gap, none longer than a session may be."""
    run: list[Recording] = []
    for recording, session in members:
        late = run and recording.started - run[-1].started > timedelta(seconds=session.gap_s)
        if late or (run and recording.started - run[0].started > timedelta(seconds=session.longest_s)):
            yield run
            run = []
        run.append(recording)
    if run:
        yield run


def _by_filter(planet: str, run: Sequence[Recording]) -> Iterator[SessionGroup]:
    """The sessions of a run: one in colour, and one for each other filter."""
    filters: list[str] = [_filter_of(recording) for recording in run]
    in_colour = {SLOTS[f] for f in filters if f in SLOTS} == {0, 1, 2}
    kinds = ["rgb" if in_colour and f in SLOTS else f for f in filters]
    for kind in sorted(set(kinds)):
        chosen = [(r, f) for r, f, k in zip(run, filters, kinds, strict=True) if k == kind]
        slots = tuple(SLOTS[f] if kind == "rgb" else -1 for _, f in chosen)
        if len(chosen) >= MIN_PARTS and (kind != "rgb" or len(chosen) > len(set(slots))):
            parts = tuple(r for r, _ in chosen)
            yield SessionGroup(_name(planet, kind, parts), planet, parts, slots)


def session_name(planet: str, first: datetime, last: datetime, kind: str = "") -> str:
    """Jupiter_2026-11-20_2214-2234_red_session."""
    return "_".join(filter(None, (planet, f"{first:%Y-%m-%d_%H%M}-{last:%H%M}", kind, "session")))


def _name(planet: str, kind: str, parts: Sequence[Recording]) -> str:
    place = PurePosixPath(parts[0].name).parent
    return str(place / session_name(planet, parts[0].started, parts[-1].started, kind))


def session_aspects(
    planet: str, moments: Sequence[datetime], scale_arcsec: float | None, site: Site, session: Session
) -> tuple[tuple[float, ...], ...]:
    """How the planet stands in the middle of a session and at each of `moments` (with a zone): see `tasks.merge`.

    Rounded to what does not move a pixel by a hundredth, so that the same captures give the same product.
    """
    times = [moment.astimezone(UTC).replace(tzinfo=None) for moment in moments]
    times.insert(0, min(times) + (max(times) - min(times)) / 2)
    found = [aspect(planet, time) for time in times]
    fields = [0.0] * len(times)
    if session.mount == "altaz":
        angles = [field_rotation_deg(site, seen, time) for seen, time in zip(found, times, strict=True)]
        known = [angle for angle in angles if angle is not None]
        if len(known) < len(times):
            raise Hopeless(
                "[session] mount = altaz needs latitude and longitude of the site; `stillsky init` or [site] says them"
            )
        fields = [-(angle - known[0]) for angle in known]  # the pole stands to the right of the zenith by the angle
    return tuple(
        (
            round(seen.meridian_deg, 3),
            round(seen.latitude_deg, 3),
            round((field + seen.pole_deg - found[0].pole_deg + 180) % 360 - 180, 3),
            round(seen.diameter_arcsec / scale_arcsec, 3) if scale_arcsec else 0.0,
        )
        for seen, field in zip(found, fields, strict=True)
    )


def globe_of(planet: str) -> tuple[float, float, float]:
    """Flattening of a planet, inner and outer radius of its rings in equatorial radii (0: none)."""
    globe = GLOBES[planet]
    return (round(globe.flattening, 6), *(globe.rings or (0.0, 0.0)))
