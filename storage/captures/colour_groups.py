"""Which mono captures through filters belong to one colour sky: by their names, their logs, or patterns that the user gave."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from configs.colour import COLOURS, FILTERS, Colour, Filter, FilterPatterns
from storage.captures.filter_names import WORD, band_in, band_of, colour_filter, is_mono
from storage.captures.night import Recording, folder_name, plain_name, recording_of
from storage.captures.unique_name import unique_name
from storage.errors import Hopeless

MAX_NAMED = 3
"""Captures that a sentence names."""


@dataclass(frozen=True)
class ColourGroup:
    """Captures of one target, each through another filter."""

    name: str
    """Its folder below the folder of results, or the name of the colour sky."""
    parts: dict[Filter, Recording]
    """Red, green, blue, and perhaps luminance, in this order."""


@dataclass(frozen=True)
class Found:
    """The colour groups among captures."""

    groups: list[ColourGroup]
    filters: dict[str, Filter]
    """Capture that is in a group, or would be if the others were there: its filter."""
    sentences: list[str]
    """On captures that lack a colour."""


@dataclass(frozen=True)
class _Named:
    """What the name of a capture says of its filter."""

    filter: Filter
    kind: tuple[str, ...]
    """The same for captures of the same target in the same place."""
    title: str
    """The name with a place for the filters: Jup_{}_213000."""
    place: PurePosixPath
    """Folder below the folder of results."""


def colour_groups(recordings: Sequence[Recording], settings: Callable[[Recording], Colour]) -> Found:
    """The colour groups among captures.

    Captures of one kind are gone through in the order of their recording: a group ends where a filter comes again or
    the time is over; of captures through the same filter before it is complete the last one counts. A kind with frames in
    colour has no groups.
    """
    kinds: dict[tuple[str, ...], list[tuple[Recording, _Named, float]]] = defaultdict(list)
    for recording in recordings:
        colour = settings(recording)
        named = _named(recording, colour)
        if named is not None:
            kinds[named.kind].append((recording, named, colour.group_span_s))
    found = Found([], {}, [])
    taken = {recording.name.casefold() for recording in recordings}
    for members in kinds.values():
        if len({named.filter for _, named, _ in members}) > 1 and all(is_mono(each.path) for each, _, _ in members):
            groups, left = _in_time(sorted(members, key=lambda member: member[0].started))
            whole = map(_group, groups)
            found.groups.extend(replace(group, name=unique_name(group.name, taken)) for group in whole)
            found.filters.update({recording.name: named.filter for recording, named, _ in members})
            found.sentences.extend(_lacking(left))
    return found


def group_of(paths: Sequence[Path], colour: Colour) -> ColourGroup:
    """The colour group of three or four captures that a user named: by their names or logs, else in the order given."""
    if len(paths) not in (3, 4):
        raise Hopeless(
            f"{len(paths)} captures: one is restored by itself; three (red, green, blue) or four (and luminance) become one "
            f"colour sky"
        )
    recordings = [recording_of(path, folder_name(path)) for path in paths]
    named = [_named(recording, colour) for recording in recordings]
    known = [each.filter for each in named if each is not None]
    if not known:
        named = [
            _Named(filter_, (), f"{plain_name(recordings[0].path.stem)}_{{}}", PurePosixPath())
            for filter_, _ in zip(FILTERS, paths, strict=False)
        ]
    elif len(set(known)) < len(paths) or not set(COLOURS) <= set(known):
        said = ", ".join(f"{p.name}: {n.filter if n else 'not known'}" for p, n in zip(paths, named, strict=True))
        raise Hopeless(
            f"a colour sky needs one capture each through red, green and blue ({said}); name the files ..._R, ..._G, ..._B, "
            f"..._L, or say [colour] group = {{ red = '*...*', green = '*...*', blue = '*...*' }}"
        )
    members = [(r, n) for r, n in zip(recordings, named, strict=True) if n is not None]
    return _group({each.filter: (recording, each) for recording, each in members})


def _named(recording: Recording, colour: Colour) -> _Named | None:
    """The filter of a capture, as the settings want it to be found."""
    path, below = recording.path, PurePosixPath(recording.name).parent
    stem = path.name if path.is_dir() else path.stem
    if isinstance(colour.group, FilterPatterns):
        for filter_ in FILTERS:
            pattern = getattr(colour.group, filter_).casefold()
            if pattern and fnmatch(path.name.casefold(), pattern):
                return _Named(filter_, (repr(colour.group),), f"{_escaped(stem)}_{{}}", below)
        return None
    if colour.group == "off":
        return None
    if (found := band_in(stem)) is not None:
        own, (start, stop) = colour_filter(found[0]), found[1]
        title = f"{_escaped(stem[:start])}{{}}{_escaped(stem[stop:])}"
        return own and _Named(own, (str(path.parent), *_words(stem[:start] + stem[stop:])), title, below)
    if (folder := colour_filter(band_of(path.parent.name))) is not None:
        return _Named(folder, (str(path.parent.parent), *_words(stem)), f"{_escaped(stem)}_{{}}", below.parent)
    if (logged := colour_filter(band_of(recording.log.filter))) is not None:
        return _Named(logged, (str(path.parent), *_words(stem)), f"{_escaped(stem)}_{{}}", below)
    return None


def _escaped(text: str) -> str:
    return text.replace("{", "_").replace("}", "_")


def _words(name: str) -> list[str]:
    """Words without a digit: what is left of a name when times, numbers and settings are taken off."""
    return [word.lower() for word in WORD.findall(name) if word.isalpha()]


_Members = dict[Filter, tuple[Recording, _Named]]


def _in_time(
    members: Iterable[tuple[Recording, _Named, float]],
) -> tuple[list[_Members], list[tuple[Recording, _Named]]]:
    """Complete groups among captures in the order of their recording, and captures that are in none."""
    groups: list[_Members] = []
    left: list[tuple[Recording, _Named]] = []
    begun: _Members = {}
    for recording, named, span_s in members:
        earliest = recording.started - timedelta(seconds=span_s) if recording.started > datetime.min else datetime.min
        is_late = any(other.started < earliest for other, _ in begun.values())
        if _is_complete(begun) and (named.filter in begun or is_late):
            groups.append(begun)
            begun = {}
        gone = [f for f, (other, _) in begun.items() if other.started < earliest or f == named.filter]
        left += (begun.pop(filter_) for filter_ in gone)
        begun[named.filter] = (recording, named)
    if _is_complete(begun):
        groups.append(begun)
    else:
        left += begun.values()
    return groups, left


def _is_complete(members: _Members) -> bool:
    return set(COLOURS) <= set(members)


def _group(members: _Members) -> ColourGroup:
    parts = {filter_: members[filter_][0] for filter_ in FILTERS if filter_ in members}
    named = members["red"][1]
    letters = "LRGB" if "luminance" in parts else "RGB"
    return ColourGroup(str(named.place / plain_name(named.title.format(letters))), parts)


def _lacking(left: Sequence[tuple[Recording, _Named]]) -> Iterator[str]:
    """A sentence on captures of one kind that are in no group, where they are of several filters."""
    known = {named.filter for _, named in left}
    if len(known) > 1:
        some = ", ".join(recording.name for recording, _ in left[:MAX_NAMED]) + (
            ", ..." if len(left) > MAX_NAMED else ""
        )
        missing = [colour for colour in COLOURS if colour not in known]
        why = (
            f"{' and '.join(missing)} missing"
            if missing
            else "red, green and blue do not begin within colour.group_span_s"
        )
        yield f"no colour sky of {some}: {why}"
