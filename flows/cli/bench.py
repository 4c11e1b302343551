"""`stillsky bench`: simulated captures are restored, and measured against the sky of one who knows every PSF."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from configs.load import BadConfig, load_config
from configs.schema import Config
from flows.cli.simulate import simulate
from flows.recipe import lineage, restore_capture
from storage.captures.capture import capture_at
from storage.product import Product, Scene
from storage.results.truth import beside, psfs_beside, truth_beside
from storage.store import Store, clock
from tasks.benchmark.benchmark import CASES, Case, Row, quality, row
from tasks.benchmark.oracle import known_psfs
from tasks.reporting.report import describe
from tasks.running.devices import pick_device
from tasks.running.step import on_device
from tasks.solve_sky import solve_sky


def bench(
    only: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    model: str = "pupil",
    words: Sequence[str] = (),
    device: str = "auto",
) -> Iterator[Row]:
    """One row per case and seed, as each is done. Captures and results of steps live in a temporary folder."""
    unknown = [name for name in only if name not in CASES]
    if unknown:
        raise BadConfig(f"--only {unknown[0]}: known are {', '.join(CASES)}")
    settings = [f"psfs.model={model}", *words]
    load_config(None, words=settings)
    with on_device(pick_device(device)):
        for name in only or CASES:
            for seed in seeds:
                with tempfile.TemporaryDirectory(prefix="stillsky-bench-") as folder:
                    yield _run(Path(folder), (name, seed), CASES[name], settings)


def _run(folder: Path, name: tuple[str, int], case: Case, settings: Sequence[str]) -> Row:
    """Simulate, restore, and do the last sky turn again with the true PSFs."""
    film = folder / f"{name[0]}.ser"
    simulate(film, case.words(name[1]), target=case.target)
    truth = truth_beside(film)
    assert truth is not None
    config = load_config(beside(film)["config"], words=settings)
    store, capture = Store(folder / "store"), capture_at(film)
    elapsed = clock()
    result = restore_capture(store, capture, config)
    seconds = elapsed()
    made = {product.step: product for product in lineage(store, capture, config)}
    scene = Scene(made["ingest"], made["average"], made["shift_average"], made["seeing"])
    oracle = _oracle(store, scene, beside(film)["psfs"], config)
    report = describe(store, result, config.model_dump(mode="json"), truth, psfs_beside(film))
    return row(*name, report, quality(store, oracle, truth), seconds)


def _oracle(store: Store, scene: Scene, psfs: Path, config: Config) -> Product:
    """The sky of the true PSFs: nothing is left to hold to the air's theory."""
    known = known_psfs(store, scene, capture_at(psfs), config.telescope)
    believed = config.rounds[-1].sky.model_copy(update={"air_share": 0.0})
    return solve_sky(store, scene, known, scene.first, config.telescope, believed)
