"""The store: one HDF5 file per product, visible only when whole; the only memory of what is done."""

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5py

from storage.errors import StoreError
from storage.locks import claim, claim_if_free
from storage.product import Product

MARK = "stillsky_complete"
_REFUSALS = tuple(os.strerror(e) for e in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS))
"""What a disk says that takes no more."""
HOST = re.sub(r"\W+", "-", socket.gethostname())[:40] or "-"
"""This machine, as it stands in the names of temporary files: several may share a store."""
TEMPORARY = re.compile(rf"\..+\.{re.escape(HOST)}\.(\d+)\.[0-9a-f]{{6}}\.tmp")
"""Name of a file that a process of this machine is still writing; its number is in it."""


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
    def part(self, product: Product, number: int, make: Callable[[Any], None]) -> Iterator[Any]:
        """Lend part `number` of a product's journal for reading; `make(file)` fills it first where it is not there yet."""
        path = self.parts(product) / f"{number:05d}.h5"
        if not _whole(path):
            with atomic(path) as temporary, self._write(temporary) as file:
                make(file)
                file.attrs[MARK] = True
        with self._read(path, f"part {number} of {product}") as file:
            yield file

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
        return _swept(self.root.glob("*/**/.*.tmp"))

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
            with h5py.File(path, "w", track_order=True) as file:
                body = True
                yield file
                file.flush()
        except (OSError, RuntimeError) as error:
            if body and not _of_the_disk(error):
                raise
            free = self.free_bytes() / 1e9
            raise StoreError(
                f"{path.parent} cannot be written ({_reason(error)}; {free:.3f} GB free); make room, e.g. with "
                f"`stillsky store prune`, or choose another disk with --store; then run the same command again, "
                f"what is done is kept"
            ) from error


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Lend a temporary path that becomes `path`, flushed to the disk, when the block ends without an exception."""
    temporary = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.{uuid4().hex[:6]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for name in (temporary, path.parent):
            if name == path.parent:
                temporary.replace(path)
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, PermissionError):
            raise StoreError(
                f"{path.parent} cannot be written: permission denied; change its permissions or choose another folder"
            ) from None
        raise


def publish(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file for the user (FITS, PNG, JSON) whole or not at all, with words for a disk that refuses."""
    try:
        _swept(p for p in path.parent.glob(".*.tmp") if p.name.startswith(f".{path.name}."))
        with atomic(path) as temporary:
            write(temporary)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({_reason(error)}); make room or choose another folder with --out"
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


def _of_the_disk(error: BaseException) -> bool:
    """Did the disk refuse the file that is being written? Anything else that goes wrong in a step says so itself."""
    if isinstance(error, OSError) and error.filename and not str(error.filename).endswith(".tmp"):
        return False
    return _reason(error) in _REFUSALS


def _reason(error: BaseException) -> str:
    """What the system said, if need be to an earlier error: HDF5 fails again, in other words, when it closes the file."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
        if said := [words for words in _REFUSALS if words in str(cause)]:
            return said[0]
        cause = cause.__cause__ or cause.__context__
    return str(error)[:200]


def _swept(paths: Iterable[Path]) -> int:
    """Remove those of the temporary files whose process, of this machine, is no more; how many they were.

    Nobody here knows what lives on other machines: theirs are left to them.
    """
    found = ((path, TEMPORARY.fullmatch(path.name)) for path in paths)
    stale = [path for path, ours in found if ours and not _alive(int(ours[1]))]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
