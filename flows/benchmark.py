"""One case of the benchmark: simulated, restored, and solved again by one who knows every PSF."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from configs.load import load_config
from configs.schema import Config
from flows.recipe import planned_products, restore_capture
from storage.captures.capture import capture_at
from storage.product import CaptureProducts, Product
from storage.results.truth import beside, psfs_beside, truth_beside
from storage.store import Store, clock
from tasks.benchmark.benchmark import CASES, Row, quality, row
from tasks.benchmark.oracle import known_psfs
from tasks.benchmark.simulate import simulate
from tasks.reporting.report import describe
from tasks.reporting.truth import comparable_truth
from tasks.running.step import Run
from tasks.solve_sky import solve_sky


def run_case(name: str, seed: int, settings: Sequence[str], device: str) -> Row:
    """Simulate, restore, and do the last sky turn again with the true PSFs, all in a temporary folder."""
    case = CASES[name]
    with tempfile.TemporaryDirectory(prefix="stillsky-bench-") as folder:
        film = Path(folder) / f"{name}.ser"
        simulate(film, case.fields(seed), case.target)
        truth = truth_beside(film)
        assert truth is not None
        config = load_config(beside(film)["config"], overrides=settings)
        run, capture = Run(Store(Path(folder) / "store"), device), capture_at(film)
        elapsed = clock()
        result = restore_capture(run, capture, config).evaluated
        seconds = elapsed()
        made = {product.step: product for product in planned_products(run.store, capture, config)}
        inputs = CaptureProducts(*(made[step] for step in ("calibrate", "average", "shift_average", "measure_seeing")))
        oracle = _oracle(run, inputs, beside(film)["psfs"], config)
        known = comparable_truth(run.store, result, truth)
        assert known is not None
        report = describe(run.store, result, config.model_dump(mode="json"), known, psfs_beside(film))
        return row(name, seed, report, quality(run.store, oracle, known), seconds)


def _oracle(run: Run, inputs: CaptureProducts, psfs: Path, config: Config) -> Product:
    """The sky of the true PSFs: nothing is left to hold to the theory of the seeing."""
    known = known_psfs(run, inputs, capture_at(psfs), config.sky_telescope)
    settings = config.rounds[-1].sky.model_copy(update={"air_share": 0.0})
    return solve_sky(run, inputs, known, inputs.stack, config.sky_telescope, settings)
