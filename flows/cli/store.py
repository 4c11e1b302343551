"""`stillsky store ls, show, rm, prune`: what is in the store, and making room in it."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import STORE

if TYPE_CHECKING:
    from storage.housekeeping import Pruned
    from storage.store import Entry


@click.group("store", short_help="List and clean what steps have left.")
def store_group() -> None:
    """Look into the store of results, and clean it."""


@store_group.command("ls")
@STORE
def ls_command(store: Path | None) -> None:
    """Every product: step, key, size, age, capture with the beginning of its fingerprint; '-': no result needs it."""
    for line in listed(_root(store)):
        click.echo(line)


@store_group.command("show")
@click.argument("key")
@STORE
def show_command(key: str, store: Path | None) -> None:
    """What the product whose KEY begins so was made from, and what is in it."""
    for line in shown(_root(store), key):
        click.echo(line)


@store_group.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="KEY|CAPTURE...")
@click.option("--force", is_flag=True, help="Also what a result still needs.")
@STORE
def rm_command(names: tuple[str, ...], force: bool, store: Path | None) -> None:
    """Remove products by the beginning of their key, or all of a capture."""
    for line in rm(_root(store), names, force):
        click.echo(line)


@store_group.command("prune")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Products older than this.")
@click.option("--keep", metavar="SIZE", help="Until the store is no larger than this, e.g. 20GB.")
@click.option("--results", is_flag=True, help="Also results and what they need, oldest first.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@STORE
def prune_command(older_than: float | None, keep: str | None, results: bool, dry_run: bool, store: Path | None) -> None:
    """Remove what no result needs, by age or size."""
    for line in prune(_root(store), older_than, keep, results, dry_run):
        click.echo(line)


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
        from storage.housekeeping import human_age, human_bytes

        mark = " " if self.needed else "-"
        size, age = human_bytes(self.bytes), human_age(self.made)
        return f"{mark} {self.step:14} {self.key[:12]}  {size:>8}  {age:>6}  {self.capture} {self.fingerprint}".rstrip()


def list_products(root: Path) -> list[Row]:
    """Every product of the store, oldest first."""
    from storage import housekeeping
    from storage.store import Store

    entries = Store(root).entries()
    needed = housekeeping.needed_by(entries, [e.product for e in housekeeping.results(entries)])
    prints = housekeeping.fingerprints(entries)
    return [
        Row(e.product.step, e.product.key, e.capture, e.bytes, e.made, e.product in needed, prints[e.product][:8])
        for e in entries
    ]  # fmt: skip


def listed(root: Path) -> list[str]:
    """The same as lines of text; an empty store says so."""
    return [row.line for row in list_products(root)] or [f"the store {root.expanduser().absolute()} is empty"]


def show(root: Path, key: str) -> dict[str, Any]:
    """All that is known of the product whose key begins with `key`."""
    from storage import housekeeping
    from storage.store import Store

    store = Store(root)
    return housekeeping.contents(store, housekeeping.find(store, key))


def shown(root: Path, key: str) -> list[str]:
    """The same as lines of text."""
    lines: list[str] = []
    for name, value in show(root, key).items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {k}: {v if isinstance(v, str) else json.dumps(v)}" for k, v in value.items())]
        elif isinstance(value, list):
            lines += [f"{name}:", *(f"  {v if isinstance(v, str) else json.dumps(v)}" for v in value)]
        else:
            lines.append(f"{name}: {value}")
    return lines


def rm(root: Path, names: tuple[str, ...], force: bool = False) -> list[str]:
    """Forget products by key or by capture; returns one line for each."""
    from storage import housekeeping
    from storage.store import Store

    return [_removed_line(entry) for entry in housekeeping.remove(Store(root), names, force)]


def prune(
    root: Path, older_than_days: float | None, keep: str | None, with_results: bool, dry_run: bool
) -> list[str]:  # fmt: skip
    """Make room; returns what was (or would be) removed, in words."""
    from storage import housekeeping
    from storage.store import Store

    room = housekeeping.parse_bytes(keep) if keep is not None else None
    pruned = housekeeping.prune(Store(root), older_than_days, room, with_results, dry_run)
    return [*(_removed_line(entry) for entry in pruned.removed), _summary(pruned, dry_run)]


def _root(store: Path | None) -> Path:
    from flows.server.embedded import default_store

    return store or default_store()


def _removed_line(entry: "Entry") -> str:
    from storage.housekeeping import human_bytes

    return f"{entry.product}  {human_bytes(entry.bytes)}  {entry.capture}"


def _summary(pruned: "Pruned", dry_run: bool) -> str:
    from storage.housekeeping import human_bytes

    verb = "would free" if dry_run else "freed"
    more = f" and {pruned.parts} unfinished" if pruned.parts else ""
    count = f"{len(pruned.removed)} products{more}"
    return f"{verb} {human_bytes(pruned.freed_bytes)} ({count}); {human_bytes(pruned.kept_bytes)} kept"
