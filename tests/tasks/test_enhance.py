"""enhance: beside the published picture, never in its place."""

from typing import Any

import numpy as np
import pytest

from configs.finishing import Enhance
from storage.product import Product
from tasks.enhance import enhance
from tasks.numerics.judging.metrics import match
from tasks.products.contents import Enhanced, Evaluated


def enhanced(filmed: Any, **changed: Any) -> Product:
    settings = Enhance(**{**filmed.config.enhance.model_dump(), **changed})
    return enhance(filmed.run, filmed.result, filmed.inputs, filmed.sky, filmed.config.telescope, settings)


def test_off_gives_the_evaluated_product(planet: Any) -> None:
    assert enhanced(planet, mode="off") == planet.result


def test_nearer_to_the_truth_and_explains_the_published(planet: Any) -> None:
    product = enhanced(planet, mode="classical")
    with planet.store.view(Enhanced, product) as finished, planet.store.view(Evaluated, planet.result) as judged:
        before, after = (match(planet.truth, each).psnr_db for each in (judged.published[0], finished.enhanced[0]))
        assert after > before
        (row,) = finished.figures
        assert row["reblurred_chi2"] < 3
        assert row["light_ratio"] == pytest.approx(1, abs=0.01)
        assert row["new_sources"] == 0
        assert (finished.used, finished.model) == ("classical", "")


def test_the_published_picture_is_not_touched(planet: Any) -> None:
    before = planet.store.path(planet.result).read_bytes()
    enhanced(planet, strength=0.7)
    assert planet.store.path(planet.result).read_bytes() == before


def test_strength_zero_is_bit_by_bit_the_published(planet: Any) -> None:
    with (
        planet.store.view(Enhanced, enhanced(planet, strength=0.0)) as finished,
        planet.store.view(Evaluated, planet.result) as judged,
    ):
        assert finished.enhanced[:].tobytes() == judged.published[:].tobytes()
        assert not np.array_equal(finished.classical[:], judged.published[:]), (
            "the classical answer is kept all the same"
        )


@pytest.mark.parametrize("scale", [2, 4])
def test_finer_pixels(planet: Any, scale: int) -> None:
    with planet.store.view(Enhanced, enhanced(planet, scale=scale)) as finished:
        assert finished.enhanced.shape == (1, 64 * scale, 64 * scale)
        coarse = finished.enhanced[0].reshape(64, scale, 64, scale).mean(axis=(1, 3))
        assert np.abs(coarse - finished.classical[0]).max() < 0.02 * np.ptp(coarse)


def test_every_colour(coloured: Any) -> None:
    with coloured.store.view(Enhanced, enhanced(coloured)) as finished:
        assert len(finished.figures) == len(finished.enhanced) == 3
        assert np.isfinite(finished.enhanced[:]).all()
