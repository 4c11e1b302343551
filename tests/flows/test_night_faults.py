"""A night killed at any moment, twice at once, under jumping clocks: nothing lost, nothing twice, no half file."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from astropy.io import fits

from storage.store import Store

PROGRAM = """
import contextlib, os, random, sys, time
steady, real, dice = time.monotonic, time.time, random.Random(int(sys.argv.pop(1)))
year = 365 * 86400.0
if os.environ.get("JUMPS"):
    time.time = lambda: real() + dice.choice((0, -year, year))
from storage import store
whole = store.Store.create

@contextlib.contextmanager
def create(self, product, recipe):
    with whole(self, product, recipe) as file:
        yield file
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, f"{product.step}/{product.key}\\n".encode())
    os.close(journal)

store.Store.create = create
from flows.cli.main import main
main(prog_name="stillsky")
"""
"""The program; every product that becomes visible is noted in a journal by whoever made it."""


@dataclass(frozen=True)
class Nights:
    """Starts nights of one folder in processes of their own."""

    folder: Path
    store: Path
    journal: Path
    words: list[str]
    environment: dict[str, str]

    @property
    def out(self) -> Path:
        return self.folder / "restored"

    def start(self, seed: int = 0, **more: str) -> "subprocess.Popen[bytes]":
        program = [sys.executable, "-c", PROGRAM, str(seed), "night", str(self.folder), *self.words]
        environment = {**self.environment, "JOURNAL": str(self.journal), **more}
        return subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)

    def finish(self, **more: str) -> int:
        return self.start(**more).wait(600)

    def made(self) -> dict[str, int]:
        """Whole products, and when each was made, ns."""
        found = (p for p in self.store.glob("*/*.h5") if not p.name.startswith("."))
        return {str(p.relative_to(self.store)): p.stat().st_mtime_ns for p in found}

    def twice(self) -> list[str]:
        """Products that were made more than once."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [line for line, count in Counter(lines).items() if count > 1]

    def broken(self) -> list[str]:
        """Whatever a user or the next night would stumble over: unreadable results, products that are not whole."""
        faults = [str(p) for p in self.store.glob("*/[!.]*.h5") if not is_whole(self.store, p)]
        for path in [*self.out.rglob("*.fits"), *self.out.rglob("*.json")]:
            if path.name.startswith("."):
                continue
            try:
                fits.getdata(path) if path.suffix == ".fits" else json.loads(path.read_text())
            except (OSError, ValueError, TypeError):
                faults.append(str(path))
        return faults

    def leftovers(self) -> list[str]:
        """Temporaries, journals of finished steps, locks."""
        paths = [*self.store.rglob("*"), *self.out.rglob("*")]
        return [str(p) for p in paths if p.suffix in (".tmp", ".parts", ".lock") and "prefect" not in p.parts]

    def outcomes(self) -> Counter[str]:
        rows = json.loads((self.out / "night.json").read_text())["captures"]
        return Counter(row["outcome"] for row in rows)

    def check_done(self, captures: int) -> None:
        """Every capture has its results, each product was made once, nothing lies about."""
        assert self.outcomes()["restored"] + self.outcomes()["cached"] == captures
        assert len(list(self.out.glob("*/sky.fits"))) == captures
        assert len(list(self.store.glob("evaluate/*.h5"))) == captures
        assert (self.twice(), self.broken(), self.leftovers()) == ([], [], [])

    def check_again(self, captures: int) -> None:
        """Another night finds everything done."""
        before = self.made()
        assert self.finish() == 0
        assert self.outcomes() == Counter(cached=captures)
        assert self.made() == before


def is_whole(store: Path, path: Path) -> bool:
    from storage.product import Product

    return Store(store).has(Product(path.parent.name, path.stem))


@pytest.fixture
def nights(
    copy: Callable[..., Path],
    tmp_path: Path,
    quick: list[str],
    environment: dict[str, str],
    request: pytest.FixtureRequest,
) -> Nights:
    """A folder of as many small captures as the test asks for."""
    count = request.param
    folder = tmp_path / "night"
    folder.mkdir()
    for number in range(count):
        copy(folder / f"c{number:02d}.ser", number, 20)
    words = ["--store", str(tmp_path / "store"), "--device", "cpu", *quick]
    for setting in ("night.settle_s=0.3", "night.poll_s=0.1", "night.spare_gb=0"):
        words += ["--set", setting]
    return Nights(folder, tmp_path / "store", tmp_path / "journal", words, environment)


def killed_at_random(nights: Nights, dice: random.Random, kills: int, longest_s: float) -> int:
    """Kill nights one after the other; what was whole before stays as it is. Returns how many were really killed."""
    made: dict[str, int] = {}
    killed = 0
    for _ in range(kills):
        night = nights.start()
        try:
            night.wait(dice.uniform(4.0, longest_s))
        except subprocess.TimeoutExpired:
            night.send_signal(signal.SIGKILL)
        killed += night.wait(30) == -signal.SIGKILL
        now = nights.made()
        assert made.items() <= now.items(), "a product that was whole is lost or was made again"
        assert nights.broken() == []
        made = now
    return killed


@pytest.mark.slow
@pytest.mark.parametrize("nights", [2], indirect=True)
def test_killed_and_asked_again(nights: Nights) -> None:
    """At the first result in the store: the first capture is in work or just done."""
    night = nights.start()
    while night.poll() is None and not list(nights.store.glob("align/*.h5")):
        pass
    night.kill()
    assert night.wait(30) == -signal.SIGKILL
    before = nights.made()
    assert before
    assert nights.finish() == 0
    assert before.items() <= nights.made().items()
    nights.check_done(2)


@pytest.mark.parametrize("nights", [2], indirect=True)
def test_two_at_once_share_the_work(nights: Nights) -> None:
    both = [nights.start(), nights.start()]
    assert [night.wait(300) for night in both] == [0, 0]
    nights.check_done(2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("nights", [20], indirect=True)
def test_twenty_captures_killed_at_random(nights: Nights, seed: int) -> None:
    killed = killed_at_random(nights, random.Random(seed), 7, 25.0)
    assert killed > 3
    assert nights.finish() == 0
    nights.check_done(20)
    nights.check_again(20)
    print(f"\nseed {seed}: {killed} kills, {len(nights.made())} products, {len(nights.twice())} made twice")


@pytest.mark.slow
@pytest.mark.parametrize("nights", [20], indirect=True)
def test_two_nights_of_twenty_one_of_them_killed(nights: Nights) -> None:
    first, second = nights.start(), nights.start()
    while first.poll() is None and len(list(nights.store.glob("evaluate/*.h5"))) < 5:
        pass
    first.kill()
    first.wait(30)
    third = nights.start()
    assert [second.wait(600), third.wait(600)] == [0, 0]
    nights.check_done(20)
    nights.check_again(20)


@pytest.mark.slow
@pytest.mark.parametrize("nights", [20], indirect=True)
def test_twenty_captures_under_a_clock_that_jumps(nights: Nights) -> None:
    """The wall clock is a year off, either way, at every look; so are the times of the files."""
    dice = random.Random(3)
    for path in nights.folder.glob("*.ser"):
        when = path.stat().st_mtime + dice.choice((-1, 1)) * 365 * 86400
        os.utime(path, (when, when))
    assert nights.finish(JUMPS="1") == 0
    nights.check_done(20)
    nights.check_again(20)
