"""The store: one HDF5 file per product, visible only when whole; the only memory of what is done."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py

from storage.atomic import atomic, reason, refused_by_disk, swept
from storage.declared import Draft, Kind, read, write
from storage.errors import StoreError
from storage.locks import claim, claim_if_free
from storage.product import Product

MARK = "stillsky_complete"
_NEVER_CLOSED: list[Any] = []
"""Files that a disk refused: closing one writes its caches, which fails again and leaves the HDF5 library broken."""


@dataclass(frozen=True)
class Entry:
    """What the store knows of one product without opening its arrays."""

    product: Product
    bytes: int
    made: datetime
    used: datetime
    recipe: dict[str, Any]

    @property
    def inputs(self) -> tuple[Product, ...]:
        """The products that it was made from."""
        return tuple(Product(step, key) for step, key in self.recipe.get("inputs", []))

    @property
    def capture(self) -> str:
        """The name of the capture at the beginning of its line."""
        return str(self.recipe.get("capture", ""))


class Store:
    """A folder of products. Every write goes to a hidden file that is renamed once it is whole and on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the store {self.root} cannot be made: {error.strerror}; choose another with --store"
            ) from None
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise StoreError(
                f"the store {self.root} cannot be written; change its permissions or choose another with --store"
            )

    def path(self, product: Product) -> Path:
        """Where a product's file is, or would be."""
        return self.root / product.step / f"{product.key}.h5"

    def parts(self, product: Product) -> Path:
        """The folder of a product's part files while it is being made."""
        return self.root / product.step / f"{product.key}.parts"

    def has(self, product: Product) -> bool:
        """Is the product there and whole?"""
        return _whole(self.path(product))

    @contextlib.contextmanager
    def open(self, product: Product) -> Iterator[Any]:
        """Lend a product's HDF5 file for reading."""
        with self._read(self.path(product), f"{product}") as file:
            yield file

    @contextlib.contextmanager
    def create(self, product: Product, recipe: Mapping[str, Any]) -> Iterator[Any]:
        """Lend a new HDF5 file that becomes the product when the block ends without an exception."""
        with atomic(self.path(product)) as temporary, self._write(temporary) as file:
            yield file
            file.attrs["recipe"] = json.dumps(recipe, sort_keys=True)
            file.attrs[MARK] = True
        shutil.rmtree(self.parts(product), ignore_errors=True)

    @contextlib.contextmanager
    def view(self, kind: type[Kind], product: Product) -> Iterator[Kind]:
        """Lend a product as its declaration says; arrays are read from the file when they are indexed."""
        if product.step not in (kind.step, *kind.also_from):
            raise TypeError(f"{product} is no {kind.__name__}, which {kind.step} leaves")
        with self.open(product) as file:
            yield read(kind, file)

    def recipe(self, product: Product) -> dict[str, Any]:
        """What a product was made from: version, arguments, inputs, name of the capture."""
        with self.open(product) as file:
            return dict(json.loads(file.attrs["recipe"]))

    def seconds(self, product: Product) -> float:
        """How long the making of a product took."""
        with self.open(product) as file:
            return float(file.attrs["seconds"])

    @contextlib.contextmanager
    def draft(self, product: Product, recipe: Mapping[str, Any], elapsed: Callable[[], float]) -> Iterator[Draft]:
        """Lend the file of a new product, to be filled before the block ends; `elapsed` tells what it took, seconds."""
        with self.create(product, recipe) as file:
            yield Draft(file)
            file.attrs["seconds"] = elapsed()

    @contextlib.contextmanager
    def part(self, product: Product, name: str, kind: type[Kind], make: Callable[[], Kind]) -> Iterator[Kind]:
        """Lend a named part of a product's journal; one that is not there is made first, and its file opened then."""
        path = self.parts(product) / f"{name}.h5"
        if not _whole(path):
            content = make()
            with atomic(path) as temporary, self._write(temporary) as file:
                write(file, content)
                file.attrs[MARK] = True
        with self._read(path, f"part {name} of {product}") as file:
            yield read(kind, file)

    def claim(self, product: Product) -> contextlib.AbstractContextManager[None]:
        """Hold a product for the block: whoever else wants to make it waits, and finds it there."""
        return claim(self.root / "claims" / f"{product.step}-{product.key}.lock", str(product))

    def claim_folder(self, folder: Path) -> contextlib.AbstractContextManager[bool]:
        """Hold a folder of results for the block if nobody else who uses this store does; tells whether."""
        return claim_if_free(self.root / "claims" / f"{sha256(os.fsencode(folder.resolve())).hexdigest()[:32]}.lock")

    def entries(self) -> list[Entry]:
        """Every whole product, oldest first."""
        found = (self._entry(p) for p in self.root.glob("*/*.h5") if not p.name.startswith("."))
        return sorted((e for e in found if e is not None), key=lambda e: e.made)

    def remove(self, product: Product) -> None:
        """Forget a product and the parts of an unfinished one."""
        self.path(product).unlink(missing_ok=True)
        shutil.rmtree(self.parts(product), ignore_errors=True)

    def sweep(self) -> int:
        """Remove what killed processes of this machine left half-written; returns how many files.

        Files of living processes stay. So do journals of unfinished products; one whose product is there was only not
        removed any more.
        """
        for parts in self.root.glob("*/*.parts"):
            if _whole(parts.with_suffix(".h5")):
                shutil.rmtree(parts, ignore_errors=True)
        for lock in self.root.glob("claims/*.lock"):
            with claim_if_free(lock):  # which removes it
                pass
        return swept(self.root.glob("*/**/.*.tmp"))

    def free_bytes(self) -> int:
        """Free space on the store's disk."""
        return shutil.disk_usage(self.root).free

    def _entry(self, path: Path) -> Entry | None:
        try:
            stat = path.stat()
            with h5py.File(path, "r") as file:
                recipe = json.loads(file.attrs["recipe"])
        except (OSError, KeyError, ValueError):
            return None
        made, used = (datetime.fromtimestamp(t, UTC) for t in (stat.st_mtime, max(stat.st_atime, stat.st_mtime)))
        return Entry(Product(path.parent.name, path.stem), stat.st_size, made, used, recipe)

    @contextlib.contextmanager
    def _read(self, path: Path, name: str) -> Iterator[Any]:
        try:
            file = h5py.File(path, "r")
        except FileNotFoundError:
            raise StoreError(f"{name} is not in the store {self.root}; run the same command again to make it") from None
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error}); delete it and run the same command again") from None
        with file:
            try:
                yield file
            except OSError as error:  # a checksum that does not fit; which of the open files, HDF5 does not say
                if "read data" not in str(error):
                    raise
                raise StoreError(
                    f"a file in the store {self.root} is damaged ({error}); run the same command again with --fresh"
                ) from error

    @contextlib.contextmanager
    def _write(self, path: Path) -> Iterator[Any]:
        """A new HDF5 file; whatever the disk refuses is said with the disk's name and free space."""
        body = False
        try:
            file = h5py.File(path, "w", track_order=True)
            body = True
            try:
                yield file
                file.flush()
            except BaseException as error:
                if refused_by_disk(error):
                    _NEVER_CLOSED.append(file)
                else:
                    file.close()
                raise
            file.close()
        except (OSError, RuntimeError) as error:
            if body and not refused_by_disk(error):
                raise
            free = self.free_bytes() / 1e9
            raise StoreError(
                f"{path.parent} cannot be written ({reason(error)}; {free:.3f} GB free); make room, e.g. with "
                f"`stillsky store prune`, or choose another disk with --store; then run the same command again, "
                f"what is done is kept"
            ) from error


def clock() -> Callable[[], float]:
    """Start a stopwatch; the returned function tells the seconds since."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


def _whole(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get(MARK, False))
    except OSError:
        return False
