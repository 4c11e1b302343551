"""Looking into the store and making room in it, without harming what a result was made from."""

import json
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import h5py

from configs.load import BadConfig
from configs.store import StoreSettings
from storage.errors import Hopeless
from storage.lineage import ordered
from storage.product import Product
from storage.store import Entry, Store

RESULTS = ("evaluate", "merge", "combine")
"""The steps whose products are results: what a user asked for."""
STALE_PARTS_S = 7 * 86400.0
"""An unfinished product unchanged for this long will not be finished."""
BUSY_S = 3600.0
"""Products younger than this may belong to a run that is still going on."""


def fingerprints(entries: Iterable[Entry]) -> dict[Product, str]:
    """The fingerprint of each product's capture: names are not unique. Empty where its frames are not there any more."""
    known = {e.product: e for e in entries}
    prints: dict[Product, str] = {}
    for product in ordered(known, lambda p: known[p].inputs if p in known else ()):
        capture = known[product].recipe.get("arguments", {}).get("capture") if product in known else None
        own = str(capture["fingerprint"]) if isinstance(capture, dict) else ""
        inputs = known[product].inputs if product in known else ()
        prints[product] = own or next((prints[p] for p in inputs if prints[p]), "")
    return {product: prints[product] for product in known}


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    removed: list[Entry] = field(default_factory=list)
    parts: int = 0
    """Folders of parts of products that will not be finished."""
    leftovers: int = 0
    """Files that killed processes left half-written (0 in a dry run: they are not counted)."""
    kept_bytes: int = 0
    """What the store's products take afterwards."""

    @property
    def freed_bytes(self) -> int:
        """What the removed products took."""
        return sum(e.bytes for e in self.removed)


def needed_by(entries: Iterable[Entry], products: Iterable[Product]) -> set[Product]:
    """The given products and everything they were made from, as far as it is in the store."""
    known = {e.product: e for e in entries}
    return set(ordered(products, lambda p: known[p].inputs if p in known else ()))


def results(entries: Iterable[Entry]) -> list[Entry]:
    """The results among the entries, oldest first."""
    return sorted((e for e in entries if e.product.step in RESULTS), key=lambda e: e.made)


def matching(store: Store, word: str) -> list[Entry]:
    """The products of a capture's name, or the one whose key begins with `word` (step/key works too)."""
    entries = store.entries()
    named = [e for e in entries if e.capture == word]
    return named or [_one(entries, word, store.root)]


def find(store: Store, word: str) -> Entry:
    """The one product whose key begins with `word`."""
    return _one(store.entries(), word, store.root)


def _one(entries: list[Entry], word: str, root: Path) -> Entry:
    step, _, key = word.rpartition("/")
    found = [e for e in entries if key and e.product.key.startswith(key.lower()) and step in ("", e.product.step)]
    if not found:
        raise Hopeless(f"{word}: no product and no capture of this name in {root}; `stillsky store ls` lists them")
    if len(found) > 1:
        some = ", ".join(str(e.product) for e in found[:4])
        raise Hopeless(f"{word}: {len(found)} products begin like this ({some}); give more of the key")
    return found[0]


def contents(store: Store, entry: Entry) -> dict[str, Any]:
    """All that is known of a product: recipe, datasets with shape and type, attributes."""
    datasets: dict[str, str] = {}
    attributes: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            datasets[name] = f"{tuple(item.shape)} {item.dtype}"
        attributes.update({f"{name}.{k}": _plain_value(v) for k, v in item.attrs.items()})

    with store.open(entry.product) as file:
        file.visititems(visit)
        attributes.update({k: _plain_value(v) for k, v in file.attrs.items() if k != "recipe"})
    return {
        "product": f"{entry.product.step}/{entry.product.key}",
        "capture": entry.capture,
        "file": str(store.path(entry.product)),
        "size": human_bytes(entry.bytes),
        "made": entry.made.astimezone().isoformat(timespec="seconds"),
        "version": entry.recipe.get("version", ""),
        "inputs": [f"{p.step}/{p.key}" for p in entry.inputs],
        "settings": _settings(entry.recipe.get("arguments", {})),
        "datasets": datasets,
        "attributes": attributes,
    }


def _settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the arguments of a step, each with the argument it belongs to; lists are products."""
    tables = {name: value for name, value in arguments.items() if isinstance(value, dict)}
    return {f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()}


def _plain_value(value: Any) -> Any:
    """An attribute as plain numbers and text; JSON inside is unfolded."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, str) and plain[:1] in ("{", "["):
        try:
            return json.loads(plain)
        except ValueError:
            return plain
    return plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain


def remove(store: Store, words: Iterable[str], force: bool = False) -> list[Entry]:
    """Forget products by key or capture; refuses those from which a result that stays was made, unless forced."""
    chosen = {e.product: e for word in words for e in matching(store, word)}
    entries = store.entries()
    for result in results(e for e in entries if e.product not in chosen):
        hurt = sorted(needed_by(entries, [result.product]) & set(chosen))
        if hurt and not force:
            raise Hopeless(
                f"{hurt[0]} is needed by the result {result.product} of {result.capture or 'a capture'}; "
                f"remove the result first, or use --force: what is missing is made again when it is needed"
            )
    for product in chosen:
        store.remove(product)
    return list(chosen.values())


def prune(
    store: Store,
    older_than_days: float | None = None,
    keep_bytes: int | None = None,
    with_results: bool = False,
    dry_run: bool = False,
) -> Pruned:
    """Make room: products no result needs, oldest first; `with_results` then old results and what only they need.

    `keep_bytes` stops once the products take no more than that; `older_than_days` spares younger ones. Without an age,
    products young enough to belong to a run in progress are kept.
    """
    if with_results and older_than_days is None and keep_bytes is None:
        raise BadConfig("--results alone would remove every result; say how much with --older-than or --keep")
    entries = store.entries()
    total = sum(e.bytes for e in entries)
    age = timedelta(days=older_than_days) if older_than_days is not None else timedelta(seconds=_grace(store))
    before = datetime.now(UTC) - age
    removed: list[Entry] = []
    for group in _in_order(entries, with_results):
        if keep_bytes is not None and total - sum(e.bytes for e in removed) <= keep_bytes:
            break
        if group[0].made <= before:
            removed.extend(group)
    stale = _stale_parts(store)
    leftovers = 0
    if not dry_run:
        for entry in removed:
            store.remove(entry.product)
        for folder in stale:
            shutil.rmtree(folder, ignore_errors=True)
        leftovers = store.sweep()
        forget_records(store)
    return Pruned(removed, len(stale), leftovers, total - sum(e.bytes for e in removed))


def forget_records(store: Store) -> int:
    """Remove Prefect's records of products that are no more, in prefect/storage; returns how many.

    A record is a file STEP-KEY-STORE, written after its product.
    """
    gone = 0
    for record in (store.root / "prefect" / "storage").glob("*-*-*"):
        step, key, _ = record.name.rsplit("-", 2)
        if record.is_file() and not store.has(Product(step, key)):
            record.unlink(missing_ok=True)
            gone += 1
    return gone


def retain(store: Store, keep: StoreSettings) -> Pruned:
    """Make the room that the settings ask for: by age, by nights with results, by size; nothing where they ask nothing."""
    ages = [keep.keep_days] if keep.keep_days else []
    nights = sorted({(e.made.astimezone() - timedelta(hours=12)).date() for e in results(store.entries())})
    if keep.keep_nights and len(nights) > keep.keep_nights:
        noon = datetime.combine(nights[-keep.keep_nights], clock_time(12)).astimezone()
        ages.append(max((datetime.now(UTC) - noon) / timedelta(days=1), 0.0))
    done = [prune(store, age, with_results=True) for age in ages]
    if keep.keep_gb:
        done.append(prune(store, keep_bytes=int(keep.keep_gb * 1e9), with_results=True))
    if not done:
        return Pruned(kept_bytes=sum(e.bytes for e in store.entries()))
    return Pruned([e for d in done for e in d.removed], sum(d.parts for d in done), 0, done[-1].kept_bytes)


def _in_order(entries: list[Entry], with_results: bool) -> list[list[Entry]]:
    """What may go, in order: single orphans, then each result in front of what it alone still holds."""
    keep = results(entries)
    needed = needed_by(entries, [e.product for e in keep])
    groups = [[e] for e in sorted(entries, key=lambda e: e.made) if e.product not in needed]
    while with_results and keep:
        oldest, keep = keep[0], keep[1:]
        still = needed_by(entries, [e.product for e in keep])
        own = needed - still - {oldest.product}
        groups.append([oldest, *(e for e in entries if e.product in own)])
        needed = still
    return groups


def _grace(store: Store) -> float:
    """Seconds for which a product without a result is spared: a day while a run is at work in the store, else an hour."""
    horizon = time.time() - BUSY_S
    busy = any(_touched(path) > horizon for path in _parts(store))
    return 86400.0 if busy else BUSY_S


def _parts(store: Store) -> list[Path]:
    return [p for p in store.root.glob("*/*.parts") if p.is_dir()]


def _touched(folder: Path) -> float:
    """When a folder or a file in it was last written; 0 where it vanished meanwhile."""
    try:
        return max((p.stat().st_mtime for p in [folder, *folder.iterdir()]), default=0.0)
    except FileNotFoundError:
        return 0.0


def _stale_parts(store: Store) -> list[Path]:
    """Parts of products that are whole meanwhile, or unchanged for a week."""
    horizon = time.time() - STALE_PARTS_S
    return [p for p in _parts(store) if _touched(p) < horizon or store.has(Product(p.parent.name, p.stem))]


def human_bytes(count: float) -> str:
    """1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def human_age(made: datetime) -> str:
    """3 d, 5 h, 12 min."""
    seconds = max((datetime.now(UTC) - made).total_seconds(), 0.0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def parse_bytes(text: str) -> int:
    """20GB, 500 MB, 1.5T or plain bytes, as a number."""
    units = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]?)b?\s*", text.lower())
    if not found:
        raise BadConfig(f"{text!r} is no size; write for example 20GB or 500MB")
    return int(float(found[1]) * units[found[2]])
