"""The oracle: true PSFs through the same sky step are nearer to the truth than any solve, and are exactly themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.captures.capture import capture_at
from storage.errors import Hopeless
from storage.product import Product
from storage.results.truth import beside, psf_file
from tasks.benchmark.benchmark import quality
from tasks.benchmark.oracle import known_psfs, psf_error
from tasks.reporting.report import describe
from tasks.solve_sky import solve_sky


@pytest.fixture(scope="module")
def oracle(planet: Any) -> tuple[Product, Product]:
    """(PSFs, sky) of one who knows the air."""
    truth, last = capture_at(beside(planet.path)["psfs"]), planet.config.rounds[-1]
    telescope = planet.config.telescope
    known = known_psfs(planet.run, planet.inputs, truth, telescope)
    settings = last.sky.model_copy(update={"air_share": 0.0})
    return known, solve_sky(planet.run, planet.inputs, known, planet.stack, telescope, settings)


def test_true_psfs_beat_solved_ones(planet: Any, oracle: tuple[Product, Product]) -> None:
    best = quality(planet.store, oracle[1], planet.truth[None])
    assert best > quality(planet.store, planet.sky, planet.truth[None]) + 3
    sky, stack = planet.read(oracle[1], "sky"), planet.read(planet.stack, "stack")
    assert sky.sum() == pytest.approx(stack.sum(), rel=1e-3)


def test_solved_psfs_are_measured_against_the_true_ones(planet: Any, oracle: tuple[Product, Product]) -> None:
    psfs = beside(planet.path)["psfs"]
    solved = psf_error(planet.store, planet.result, planet.config.telescope, psfs)
    assert solved is not None
    assert 0.05 < solved < 0.6
    report = describe(planet.store, planet.result, planet.config.model_dump(mode="json"), planet.truth[None], psfs)
    assert report["psf_rms_error"] == pytest.approx(solved)
    assert any(f"off the true ones by {solved:.0%}" in line for line in report["verdict"])


def test_psfs_of_another_capture_are_refused(planet: Any, tmp_path: Path) -> None:
    with psf_file(tmp_path / "other.psfs.fits", 3) as file:
        file.add(np.ones((3, 16, 16), np.float32) / 256, np.zeros((3, 2)))
    other = capture_at(tmp_path / "other.psfs.fits")
    with pytest.raises(Hopeless, match="3 PSFs, the capture 32 frames"):
        known_psfs(planet.run, planet.inputs, other, planet.config.telescope)
    report = describe(planet.store, planet.result, {}, None, other.path)  # a restore is not lost for it
    assert report["psf_rms_error"] is None
