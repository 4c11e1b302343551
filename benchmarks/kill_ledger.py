"""What kill -9 must not do, checked: lose a file, make one twice, leave half a file, change the sky."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from PIL import Image

State = tuple[int, int]
"""A file's inode and time of change, ns: both differ where a file was written again."""


@dataclass
class Tally:
    """Kills and what went wrong, over all subjects."""

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(subject, what it was doing): how many kills."""
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(subject, `lost`, `redone`, `half` or `changed`): how many files."""
    ends: Counter[str] = field(default_factory=Counter)
    """Subject: how many skies were compared with the undisturbed one."""

    def fault(self, subject: str, kind: str, path: object) -> None:
        """Count a file that went wrong, and say which."""
        self.faults[subject, kind] += 1
        print(f"FAULT {subject}: {kind}: {path}", flush=True)


@dataclass
class Ledger:
    """Every whole file of one store and of its results, looked at after every kill."""

    tally: Tally
    subject: str
    store: Path
    results: dict[Path, Path]
    """Folder of results: the folder with those of an undisturbed run."""
    known: dict[str, State] = field(default_factory=dict)

    def look(self) -> None:
        """Compare with the last look: what was there is there, untouched; what is new is whole."""
        now = _files(self.store, parts=True)  # before the products: parts go when their product is there
        now |= _files(self.store, parts=False)
        for name, state in self.known.items():
            made = ".parts/" in name and f"{name.partition('.parts/')[0]}.h5" in now
            if name not in now and not made:
                self.tally.fault(self.subject, "lost", name)
            elif name in now and now[name] != state:
                self.tally.fault(self.subject, "redone", name)
        for name in sorted(set(now) - set(self.known)):
            with contextlib.suppress(FileNotFoundError):  # parts that went meanwhile
                if not _whole_product(self.store / name):
                    self.tally.fault(self.subject, "half", name)
        self.known = now
        for out, reference in self.results.items():
            for path in sorted(out.glob("[!.]*")):
                with contextlib.suppress(FileNotFoundError):  # the report goes before it is written again
                    if not _whole_result(path, reference):
                        self.tally.fault(self.subject, "half", path)

    def close(self) -> None:
        """The last look, when all is done: nothing half is left, and every sky is the undisturbed one, bit by bit."""
        self.look()
        for folder in (self.store, *self.results):
            for path in [*folder.rglob("*.tmp"), *folder.rglob("*.parts")]:
                if "prefect" not in path.parts:
                    self.tally.fault(self.subject, "half", path)
        for out, reference in self.results.items():
            self.tally.ends[self.subject] += 1
            if not (out / "report.json").exists():
                self.tally.fault(self.subject, "lost", out)
            elif pixels(out / "sky.fits") != pixels(reference / "sky.fits"):
                self.tally.fault(self.subject, "changed", out / "sky.fits")


def pixels(path: Path) -> bytes:
    """The numbers in a FITS file, as bytes."""
    return bytes(np.asarray(fits.getdata(path)).tobytes())


def _files(store: Path, parts: bool) -> dict[str, State]:
    """Whole files in a store: the parts of journals, or the products."""
    found = {}
    for path in _below(store):
        if path.suffix == ".h5" and not path.name.startswith(".") and (".parts" in str(path)) == parts:
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found[str(path.relative_to(store))] = (stat.st_ino, stat.st_mtime_ns)
    return found


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        if Path(place) == folder:
            folders[:] = [name for name in folders if name not in ("prefect", "claims")]
        yield from (Path(place) / name for name in files)


def _whole_product(path: Path) -> bool:
    """Does a file of the store open, say that it is complete, and give every number?"""
    try:
        with h5py.File(path, "r") as file:
            file.visititems(_read)
            return bool(file.attrs["stillsky_complete"])
    except FileNotFoundError:
        raise
    except (OSError, KeyError):
        return False


def _read(_: str, item: object) -> None:
    """Read an array, so that its checksums are compared."""
    if isinstance(item, h5py.Dataset):
        _ = item[()]


def _whole_result(path: Path, reference: Path) -> bool:
    """Is a published file whole? Pictures are those of the undisturbed run; reports, which tell times, end as they should."""
    try:
        if path.suffix == ".fits":
            return pixels(path) == pixels(reference / path.name)
        if path.suffix == ".png":
            with Image.open(path) as ours, Image.open(reference / path.name) as theirs:
                return ours.tobytes() == theirs.tobytes()
        if path.suffix == ".json":
            return bool(json.loads(path.read_text(encoding="utf-8")))
        return path.suffix != ".html" or path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return False
