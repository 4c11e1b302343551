"""What pydantic complains of, in sentences that name the setting, its value, the limit and the remedy."""

import difflib
from typing import Any

from pydantic import BaseModel

Roots = tuple[type[BaseModel], ...]
"""Tables in which a complaint's path can begin."""


def root_causes(errors: list[Any]) -> list[Any]:
    """Without complaints that follow from others: a number out of range is no list either, wrong rounds are too few."""
    return [e for e in errors if e["type"] not in ("tuple_type", "too_short") or len(errors) == 1]


def explained(error: Any, roots: Roots) -> str:
    """One line for one complaint: where, what, the limit, and the nearest right key of a misspelt one."""
    where = ".".join(str(p) for p in error["loc"] if not str(p).startswith(("function-", "constrained", "tuple[")))
    if error["type"] == "extra_forbidden":
        known = _keys(error["loc"][:-1], roots)
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"  {where}: there is no such setting; {hint}"
    unit = _unit(where)
    entered = error.get("input")
    value = f" = {entered!r}" if isinstance(entered, (int, float, str)) else ""
    return f"  {where}{value}: {error['msg'].removeprefix('Value error, ')}{unit}{_as_percent(error)}"


def _as_percent(error: Any) -> str:
    """A hint where a fraction was wanted and its hundredfold fits: somebody wrote per cent."""
    entered, limits = error.get("input"), error.get("ctx") or {}
    limit = limits.get("lt", limits.get("le"))
    if isinstance(entered, int | float) and isinstance(limit, int | float) and limit <= 1 < entered < 100 * limit:
        return f"; a fraction, {entered / 100:g}?"
    return ""


def _unit(where: str) -> str:
    units = {"m": "metres", "mm": "millimetres", "um": "micrometres", "nm": "nanometres", "arcsec": "arc seconds"}
    last = next((p for p in reversed(where.split(".")) if "_" in p), "")
    name = units.get(last.rsplit("_", 1)[-1])
    return f" (the unit is {name})" if name and "_" in last else ""


def _keys(path: tuple[int | str, ...], roots: Roots) -> list[str]:
    """The settings known at a path of the tables."""
    if not path:
        return [name for root in roots for name in root.model_fields]
    model: Any = next((root for root in roots if path[0] in root.model_fields), roots[0])
    for name in path:
        if isinstance(name, str) and name in model.model_fields:
            annotation = model.model_fields[name].annotation
            args = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
            model = args[0] if args else annotation
    return list(model.model_fields)
