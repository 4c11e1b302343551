"""The rounds of a configuration: [psfs] and [sky] hold the defaults, each of the [[rounds]] says only what differs."""

from collections.abc import Callable, Mapping
from typing import Any

TABLES = ("psfs", "sky")
"""The tables that hold the defaults of all rounds."""
SHARED = {"psfs": ("model", "modes"), "sky": ("scale",)}
"""Settings that are the same in all rounds, because later rounds keep the PSFs and the sums of earlier ones."""


def merge_rounds(base: list[Any], over: list[Any], merge: Callable[[Any, Any], None]) -> None:
    """Lay the rounds of `over` on those of `base` by position; rounds beyond its end are added."""
    for number, settings in enumerate(over):
        if number < len(base) and isinstance(base[number], dict) and isinstance(settings, Mapping):
            merge(base[number], settings)
        else:
            base[number : number + 1] = [settings]


def misplaced(tree: Mapping[str, Any]) -> list[str]:
    """A sentence for each setting that a round has and that belongs to all rounds."""
    return [
        f"rounds.{number}.{table}.{key}: {key} is the same in all rounds; set {table}.{key} instead"
        for number, settings in enumerate(_rounds(tree))
        for table, keys in SHARED.items()
        for key in keys
        if key in _table(settings, table)
    ]


def complete_rounds(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree without [psfs] and [sky], every round with all its settings."""
    rest = {name: value for name, value in tree.items() if name not in TABLES}
    rounds = rest.get("rounds")
    if isinstance(rounds, list):
        rest["rounds"] = [_complete(settings, tree) for settings in rounds]
    return rest


def written_at(location: tuple[int | str, ...], tree: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Where a setting of a complete round was written: in the round itself, or in [psfs] or [sky]."""
    if len(location) < 3 or location[0] != "rounds" or location[2] not in TABLES:
        return location
    settings, name = _rounds(tree)[int(location[1])], str(location[2])
    if len(location) == 3:
        return location if isinstance(tree.get(name), Mapping) else location[2:]
    return location if location[3] in _table(settings, name) else location[2:]


def _complete(settings: Any, tree: Mapping[str, Any]) -> Any:
    """One round on top of the defaults; what is no table is left for the schema to refuse."""
    if not isinstance(settings, Mapping):
        return settings
    complete = dict(settings)
    for name in TABLES:
        defaults, own = tree.get(name), settings.get(name, {})
        if isinstance(own, Mapping):
            complete[name] = {**defaults, **own} if isinstance(defaults, Mapping) else defaults
    return complete


def _rounds(tree: Mapping[str, Any]) -> list[Any]:
    rounds = tree.get("rounds")
    return rounds if isinstance(rounds, list) else []


def _table(settings: Any, name: str) -> Mapping[str, Any]:
    table = settings.get(name) if isinstance(settings, Mapping) else None
    return table if isinstance(table, Mapping) else {}
