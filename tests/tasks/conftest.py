"""Small simulated captures whose truth is known, and the recipe's products on them, each made when first asked for."""

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.load import load_config
from configs.schema import Config, Psfs, Sky
from storage.captures.capture import Capture, capture_at
from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.product import CaptureProducts, Product
from storage.results.truth import beside, truth_beside
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.benchmark.simulate import simulate
from tasks.calibrate import calibrate
from tasks.evaluate import evaluate
from tasks.ingest import ingest
from tasks.measure_seeing import measure_seeing
from tasks.running.step import Run
from tasks.shift_average import shift_average
from tasks.solve_psfs import solve_psfs
from tasks.solve_sky import solve_sky

SHAPE = {"n_frames": 32, "size_px": 64, "photons_peak": 8000.0, "fps": 20.0, "seed": 3}
QUICK = (
    "psfs.modes=28", "rounds.0.psfs.frames=16", "rounds.0.psfs.steps=100", "rounds.0.psfs.starts=1",
    "rounds.0.sky.cg_iterations=4", "rounds.1.psfs.steps=30", "evaluate.steps=25",
)  # fmt: skip
"""Settings that solve a capture of 64 x 64 pixels in a second."""
SOLVED_WELL = (
    "psfs.modes=28", "rounds.0.psfs.frames=32", "rounds.0.psfs.steps=150", "rounds.0.psfs.starts=1",
    "rounds.1.psfs.steps=30", "evaluate.steps=60",
)  # fmt: skip
"""Settings that solve it well enough to compare its sky with the truth, in some seconds."""


class Filmed:
    """One capture with its truth, and the products of the recipe."""

    def __init__(self, path: Path, root: Path, words: Sequence[str] = (), optics: Path | None = None) -> None:
        self.path, self.run = path, Run(Store(root))
        self.config: Config = load_config(optics or beside(path)["config"], overrides=[*QUICK, *words])
        self.capture: Capture = capture_at(path, self.config.camera.dark, self.config.camera.flat)

    @property
    def store(self) -> Store:
        """The store of its products."""
        return self.run.store

    def read(self, product: Product, name: str) -> NDArray[Any]:
        """One array of a product."""
        with self.store.open(product) as file:
            return np.asarray(file[name][()])

    def note(self, product: Product, name: str, group: str = "/") -> Any:
        """One attribute of a product."""
        with self.store.open(product) as file:
            return file[group].attrs[name]

    @cached_property
    def raw(self) -> NDArray[Any]:
        """(frame, channel, y, x) codes as they are in the file."""
        with open_capture(self.path) as reader:
            return np.concatenate(list(reader.blocks(16)))

    @cached_property
    def truth(self) -> NDArray[np.float32]:
        """(y, x) the sky through the perfect telescope."""
        found = truth_beside(self.path)
        assert found is not None
        return found[0]

    @cached_property
    def frames(self) -> Product:
        return ingest(self.run, self.capture, self.config.ingest)

    @cached_property
    def mean(self) -> Product:
        return average(self.run, self.frames, self.config.average)

    @cached_property
    def clean(self) -> Product:
        return calibrate(self.run, self.frames, self.mean)

    @cached_property
    def shifts(self) -> Product:
        return align(self.run, self.clean, self.config.align)

    @cached_property
    def stack(self) -> Product:
        given = (self.clean, self.mean, self.shifts)
        return shift_average(self.run, *given, self.config.telescope, self.config.shift_average)

    @cached_property
    def seeing(self) -> Product:
        return measure_seeing(self.run, self.clean, self.mean, self.stack, self.config.telescope)

    @cached_property
    def inputs(self) -> CaptureProducts:
        """What every round needs."""
        return CaptureProducts(self.clean, self.mean, self.stack, self.seeing)

    @cached_property
    def rounds(self) -> list[tuple[Product, Product]]:
        """(PSFs, sky) of every round."""
        found: list[tuple[Product, Product]] = []
        sky = self.stack
        for turn in self.config.rounds:
            psfs = self.psfs_of(sky, turn.psfs)
            sky = self.sky_of(psfs, sky, turn.sky)
            found.append((psfs, sky))
        return found

    @property
    def sky(self) -> Product:
        return self.rounds[-1][1]

    @cached_property
    def result(self) -> Product:
        return self.judged(self.sky)

    def psfs_of(self, sky: Product, settings: Psfs) -> Product:
        """A PSF turn."""
        return solve_psfs(self.run, self.inputs, sky, self.config.telescope, settings)

    def sky_of(self, psfs: Product, before: Product, settings: Sky) -> Product:
        """A sky turn."""
        return solve_sky(self.run, self.inputs, psfs, before, self.config.telescope, settings)

    def judged(self, sky: Product) -> Product:
        """The verdict on a sky."""
        return evaluate(self.run, self.inputs, sky, self.config.telescope, self.config.evaluate, self.config.colour)

    def elsewhere(self, root: Path) -> "Filmed":
        """The same capture and settings with an empty store."""
        other = copy.copy(self)
        other.__dict__ = {"path": self.path, "run": Run(Store(root)), "config": self.config, "capture": self.capture}
        return other


@pytest.fixture(scope="session")
def planet(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """A planet through moderate air, drifting by 3 and -5 px."""
    folder = tmp_path_factory.mktemp("planet")
    simulate(folder / "planet.ser", {**SHAPE, "d_over_r0": 4.0, "drift_px": (3.0, -5.0)}, "planet")
    return Filmed(folder / "planet.ser", folder / "store")


@pytest.fixture(scope="session")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """Another planet through air twice as strong."""
    folder = tmp_path_factory.mktemp("rough")
    simulate(folder / "rough.ser", {**SHAPE, "d_over_r0": 8.0, "n_frames": 40, "seed": 5}, "planet")
    return Filmed(folder / "rough.ser", folder / "store")


@pytest.fixture(scope="session")
def spoiled(planet: Filmed, tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """The planet with clouds over every third frame; frame 5 black, 9 a repetition, 13 saturated, 17 noise, 21 a streak."""
    folder = tmp_path_factory.mktemp("spoiled")
    frames, dice = planet.raw[:, 0].astype(np.float64), np.random.default_rng(1)
    frames[::3] = 8 + 0.7 * (frames[::3] - 8)
    frames[5] = dice.normal(8, 1, frames[5].shape)
    frames[9] = frames[8]
    frames[13, 20:40, 20:40] = 4095
    frames[17] = dice.uniform(0, 2 * frames[17].mean(), frames[17].shape)
    rows = np.arange(64)
    for width in (-1, 0, 1):
        frames[21, rows, np.clip(rows + width, 0, 63)] += 2500
    codes = np.clip(np.rint(frames), 0, 4095).astype(np.uint16)
    write_ser(folder / "spoiled.ser", codes, 12)
    return Filmed(folder / "spoiled.ser", folder / "store", optics=beside(planet.path)["config"])


@pytest.fixture(scope="session")
def coloured(planet: Filmed, tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """The planet in red, green and blue of unlike brightness, 64 px wide and 48 high."""
    folder = tmp_path_factory.mktemp("coloured")
    light = planet.raw[:, 0, 8:56].astype(np.float64) - 8
    codes = np.stack([light * gain + 8 for gain in (1.0, 0.7, 0.4)], axis=1)
    write_ser(folder / "coloured.ser", np.clip(np.rint(codes), 0, 4095).astype(np.uint16), 12)
    turns = ("rounds.0.sky.cg_iterations=3", "rounds.1.sky.cg_iterations=3")
    few = (*turns, "rounds.0.psfs.steps=40", "rounds.1.psfs.steps=10", "evaluate.steps=10")
    return Filmed(folder / "coloured.ser", folder / "store", few, optics=beside(planet.path)["config"])
