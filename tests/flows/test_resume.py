"""A restore killed at any moment goes on where it was and ends in the same sky; a change redoes what follows from it."""

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from configs.load import load_config
from flows.recipe import planned_products
from storage.captures.capture import capture_at
from storage.product import Product
from storage.store import Store

STEPS = (
    "ingest",
    "average",
    "calibrate",
    "align",
    "shift_average",
    "measure_seeing",
    "solve_psfs",
    "solve_sky",
    "evaluate",
    "enhance",
)


RESTORE = """
import os, signal, torch
from pathlib import Path
from configs.load import load_config
from flows.recipe import restore_capture
from flows.capture import publish_result
from storage.captures.capture import capture_at
from storage.store import Store
from tasks.running.step import Run

torch.set_num_threads(1)
count = 0

def sync(descriptor):
    global count
    count += 1
    if count == deadly_sync:
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync = sync
store, film = Store(Path(root)), Path(film)
capture, config = capture_at(film), load_config(film.with_suffix(".toml"), overrides=words)
store.sweep()
publish_result(store, restore_capture(Run(store), capture, config), capture, config, Path(root).parent / "out")
"""
"""What the command line does, without Prefect; killed at its n-th fsync: the first comes before a file appears, the
second right after."""


@dataclass(frozen=True)
class Restorer:
    """Runs restores of one capture in processes of their own."""

    film: Path
    words: list[str]
    context: ForkServerContext
    """A clean process that has imported everything, forked for every run: a start costs nothing."""

    def start(self, root: Path, deadly_sync: int = 0) -> Any:
        """Begin a restore."""
        given = {"film": str(self.film), "root": str(root), "words": self.words, "deadly_sync": deadly_sync}
        process = self.context.Process(target=exec, args=(RESTORE, given))
        process.start()
        return process

    def finish(self, root: Path, deadly_sync: int = 0) -> bool:
        """Restore; False if it was killed."""
        process = self.start(root, deadly_sync)
        process.join(600)
        assert process.exitcode in (0, -signal.SIGKILL)
        return bool(process.exitcode == 0)

    def line(self, root: Path, *more: str) -> list[Product]:
        """Every product of the recipe in its order."""
        config = load_config(self.film.with_suffix(".toml"), overrides=[*self.words, *more])
        return planned_products(Store(root), capture_at(self.film), config)


def _there(root: Path) -> Iterator[Path]:
    """Every file and folder below; what a living process removes meanwhile is passed over."""
    for folder, folders, files in os.walk(root):
        yield from (Path(folder) / name for name in (*folders, *files))


def _made(root: Path) -> dict[str, int]:
    """Every whole file in the store and when it was written, ns: products, and parts of a step's journal."""
    found = {}
    for path in _there(root):
        with contextlib.suppress(FileNotFoundError):
            if path.suffix == ".h5" and not path.name.startswith("."):
                found[str(path.relative_to(root))] = path.stat().st_mtime_ns
    return found


def _left(root: Path) -> list[str]:
    """What must not be there after a run: temporaries, journals of finished steps."""
    return [str(p.relative_to(root.parent)) for p in _there(root.parent) if p.suffix in (".tmp", ".parts")]


def _sky(root: Path) -> NDArray[np.float32]:
    return np.asarray(fits.getdata(root.parent / "out" / "sky.fits"))


def _products(made: dict[str, int]) -> dict[str, int]:
    return {name: when for name, when in made.items() if ".parts" not in name}


@pytest.fixture(scope="module")
def restorer(film: Path, quick: list[str]) -> Restorer:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["flows.recipe", "flows.capture", "astropy.io.fits"])
    return Restorer(film, quick[1::2], context)


@pytest.fixture(scope="module")
def whole(restorer: Restorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a run that nobody disturbed."""
    root = tmp_path_factory.mktemp("whole") / "store"
    assert restorer.finish(root)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store for one test; what is published goes beside it."""
    return tmp_path / "store"


def test_every_step_leaves_a_product_and_nothing_else(restorer: Restorer, whole: Path) -> None:
    assert {name.split("/")[0] for name in _made(whole)} == set(STEPS)
    assert sorted(_made(whole)) == sorted(f"{p.step}/{p.key}.h5" for p in restorer.line(whole))
    assert _left(whole) == []


def test_second_run_makes_nothing_and_publishes_the_same(restorer: Restorer, whole: Path) -> None:
    before, sky = _made(whole), _sky(whole)
    assert restorer.finish(whole)
    assert _made(whole) == before
    assert _sky(whole).tobytes() == sky.tobytes()


def test_killed_before_and_after_every_file_appears(restorer: Restorer, whole: Path, root: Path) -> None:
    """Each run is killed with its first file written but not yet visible, the next one right after it became visible."""
    made: dict[str, int] = {}
    killed_in: list[str] = []
    while "enhance" not in killed_in and len(killed_in) < 50:
        for deadly_sync in (1, 2):
            assert not restorer.finish(root, deadly_sync)
            now = _made(root)
            assert {k: t for k, t in now.items() if k in made} == {k: t for k, t in made.items() if k in now}
            assert all(".parts/" in name for name in set(made) - set(now)), "only journals of finished steps go"
            fresh = set(now) - set(made)
            assert len(fresh) == deadly_sync - 1, "before the rename nothing shows; after it, one file"
            killed_in += [name.split("/")[0] for name in fresh]
            made = now
    assert set(killed_in) == set(STEPS)
    assert killed_in.count("solve_psfs") > 2, "journals are left and used, too"
    for deadly_sync in (1, 2):
        assert not restorer.finish(root, deadly_sync), "killed while publishing"
    assert restorer.finish(root)
    assert _made(root) == _products(made)
    assert sorted(_made(root)) == sorted(_made(whole))
    assert _left(root) == []
    assert _sky(root).tobytes() == _sky(whole).tobytes()


def test_killed_from_outside_at_random_moments(restorer: Restorer, whole: Path, root: Path) -> None:
    dice = random.Random(7)
    made: dict[str, int] = {}
    kills = 0
    for _ in range(12):
        process = restorer.start(root)
        process.join(dice.uniform(0.05, 0.6))
        process.kill()
        process.join(600)
        kills += process.exitcode == -signal.SIGKILL
        now = _made(root)
        assert {name: now.get(name) for name in _products(made)} == _products(made)
        made = now
    assert kills > 3
    assert restorer.finish(root)
    assert {name: _made(root)[name] for name in _products(made)} == _products(made)
    assert _left(root) == []
    assert _sky(root).tobytes() == _sky(whole).tobytes()


def test_killed_while_a_step_is_being_written(restorer: Restorer, whole: Path, root: Path) -> None:
    """From outside, at the first sight of a temporary file, step by step as far as their writing can be seen."""
    seen: set[str] = set()
    for _ in range(4 * len(STEPS)):
        process = restorer.start(root)
        end = time.monotonic() + 600
        while process.is_alive() and time.monotonic() < end:
            found = [name.split("/") for name in _left(root) if name.endswith(".tmp")]
            writing = {step for where, step, *_ in found if where == "store"} - seen
            if writing:
                process.kill()
                seen |= writing
                break
        process.join(600)
        if process.exitcode == 0:
            break
    assert process.exitcode == 0
    assert len(seen) >= 4, seen
    assert _left(root) == []
    assert sorted(_made(root)) == sorted(_made(whole))
    assert _sky(root).tobytes() == _sky(whole).tobytes()


@pytest.mark.parametrize(
    ("setting", "redone"),
    [
        ("evaluate.steps=9", ["evaluate", "enhance"]),
        ("rounds.1.psfs.steps=11", ["solve_psfs", "solve_sky", "evaluate", "enhance"]),
        ("rounds.0.sky.air_share=0.5", ["solve_sky", "solve_psfs", "solve_sky", "evaluate", "enhance"]),
        ("shift_average.heldout_share=0.2", [*STEPS[4:8], "solve_psfs", "solve_sky", "evaluate", "enhance"]),
        ("ingest.black_share=0.3", [*STEPS[:8], "solve_psfs", "solve_sky", "evaluate", "enhance"]),
        ("average.block_frames=7", []),
    ],
)
def test_changed_setting_renews_its_descendants(
    restorer: Restorer, whole: Path, setting: str, redone: list[str]
) -> None:
    before, after = restorer.line(whole), restorer.line(whole, setting)
    assert [p.step for p in after if p not in before] == redone


def test_changed_setting_makes_only_what_follows_from_it(restorer: Restorer, whole: Path, root: Path) -> None:
    shutil.copytree(whole, root)
    before = _made(root)
    assert replace(restorer, words=[*restorer.words, "rounds.1.psfs.steps=11"]).finish(root)
    after = _made(root)
    assert {name: after[name] for name in before} == before
    assert sorted(name.split("/")[0] for name in set(after) - set(before)) == [
        "enhance",
        "evaluate",
        "solve_psfs",
        "solve_sky",
    ]
    assert _sky(root).tobytes() != _sky(whole).tobytes()


@pytest.mark.parametrize("number", [0, 3, 5, 9])
def test_deleted_product_is_made_again_alone(restorer: Restorer, whole: Path, number: int) -> None:
    product = restorer.line(whole)[number]
    name, before, sky = f"{product.step}/{product.key}.h5", _made(whole), _sky(whole)
    (whole / name).unlink()
    assert restorer.finish(whole)
    after = _made(whole)
    assert after.pop(name) > before.pop(name)
    assert after == before
    assert _sky(whole).tobytes() == sky.tobytes()
