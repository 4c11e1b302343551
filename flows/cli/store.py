"""`stillsky store ls, show, rm, prune`: what is in the store, and making room in it."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from storage import housekeeping
from storage.housekeeping import Pruned, human_age, human_bytes, parse_bytes
from storage.store import Entry, Store


@dataclass(frozen=True)
class Row:
    """One product as it is listed."""

    step: str
    key: str
    capture: str
    bytes: int
    made: datetime
    needed: bool
    """Is it a result, or was a result made from it?"""
    fingerprint: str
    """The beginning of its capture's; empty where the frames are not in the store any more."""

    @property
    def line(self) -> str:
        """As text."""
        mark = " " if self.needed else "-"
        size, age = human_bytes(self.bytes), human_age(self.made)
        return f"{mark} {self.step:14} {self.key[:12]}  {size:>8}  {age:>6}  {self.capture} {self.fingerprint}".rstrip()


def list_products(root: Path) -> list[Row]:
    """Every product of the store, oldest first."""
    entries = Store(root).entries()
    needed = housekeeping.needed_by(entries, [e.product for e in housekeeping.results(entries)])
    prints = housekeeping.fingerprints(entries)
    return [
        Row(e.product.step, e.product.key, e.capture, e.bytes, e.made, e.product in needed, prints[e.product][:8])
        for e in entries
    ]  # fmt: skip


def listed(root: Path) -> list[str]:
    """The same as lines of text; an empty store says so."""
    return [row.line for row in list_products(root)] or [f"the store {Store(root).root} is empty"]


def show(root: Path, word: str) -> dict[str, Any]:
    """All that is known of the product whose key begins with `word`."""
    store = Store(root)
    return housekeeping.contents(store, housekeeping.find(store, word))


def shown(root: Path, word: str) -> list[str]:
    """The same as lines of text."""
    lines: list[str] = []
    for key, value in show(root, word).items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {k}: {v if isinstance(v, str) else json.dumps(v)}" for k, v in value.items())]
        elif isinstance(value, list):
            lines += [f"{key}:", *(f"  {v if isinstance(v, str) else json.dumps(v)}" for v in value)]
        else:
            lines.append(f"{key}: {value}")
    return lines


def rm(root: Path, words: tuple[str, ...], force: bool = False) -> list[str]:
    """Forget products by key or by capture; returns one line for each."""
    return [_gone(entry) for entry in housekeeping.remove(Store(root), words, force)]


def prune(
    root: Path, older_than_days: float | None, keep: str | None, with_results: bool, dry_run: bool
) -> list[str]:  # fmt: skip
    """Make room; returns what was (or would be) removed, in words."""
    room = parse_bytes(keep) if keep is not None else None
    done = housekeeping.prune(Store(root), older_than_days, room, with_results, dry_run)
    return [*(_gone(entry) for entry in done.removed), _summary(done, dry_run)]


def _gone(entry: Entry) -> str:
    return f"{entry.product}  {human_bytes(entry.bytes)}  {entry.capture}"


def _summary(done: Pruned, dry_run: bool) -> str:
    verb = "would free" if dry_run else "freed"
    more = f" and {done.parts} unfinished" if done.parts else ""
    count = f"{len(done.removed)} products{more}"
    return f"{verb} {human_bytes(done.freed_bytes)} ({count}); {human_bytes(done.kept_bytes)} kept"
