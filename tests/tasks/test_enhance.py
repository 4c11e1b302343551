"""enhance: beside the published picture, never in its place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.finishing import Enhance
from storage.models import register, set_stage
from storage.product import Product
from tasks.enhance import enhance
from tasks.learning.chosen import chosen_model
from tasks.learning.registry import new_net, weights_in
from tasks.numerics.judging.metrics import match
from tasks.products.contents import Evaluated
from tasks.products.finished_contents import Enhanced


def enhanced(filmed: Any, model: str = "", **changed: Any) -> Product:
    settings = Enhance(**{**filmed.config.enhance.model_dump(), **changed})
    return enhance(filmed.run, filmed.result, filmed.inputs, filmed.sky, filmed.config.telescope, settings, model)


def trained(root: Path, bias: float = 0.0, widest_px: float = 9.0, stage: str = "promoted") -> str:
    """Hash of a registered net that adds `bias` to the light as it sees it."""
    net = new_net("enhance", 4)
    with torch.no_grad():
        list(net.parameters())[-1].fill_(bias)
    domain = {"fwhm_px": [1.0, widest_px], "relative_sigma": [0.0, 1.0]}
    card = {"width": 4, "gate": {"passed": True, "gain_db": 2.0}, "domain": domain}
    model = register("enhance", weights_in(net), card, root)
    return (set_stage(model, "promoted", root) if stage == "promoted" else model).hash


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models."""
    monkeypatch.setenv("STILLSKY_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("storage.models.SHIPPED", tmp_path / "shipped")
    return tmp_path / "models"


def test_off_gives_the_evaluated_product(planet: Any) -> None:
    assert enhanced(planet, mode="off") == planet.result


def test_no_farther_from_the_truth_and_explains_the_published(planet: Any) -> None:
    product = enhanced(planet, mode="classical")
    with planet.store.view(Enhanced, product) as finished, planet.store.view(Evaluated, planet.result) as judged:
        before, after = (match(planet.truth, each).psnr_db for each in (judged.published[0], finished.enhanced[0]))
        assert after > before - 0.02  # nearly all of this sky was kept: nothing may be spoilt
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


def test_a_model_that_passes_all_checks_is_shown(planet: Any, models: Path) -> None:
    """A net that adds nothing is as good as the classical answer, and no worse."""
    name = trained(models)
    assert chosen_model("enhance", "auto") == name
    with planet.store.view(Enhanced, enhanced(planet, name, mode="auto")) as finished:
        assert (finished.used, finished.model) == ("learned", name)
        assert finished.card["gain_db"] == 2.0
        assert finished.learned is not None
        assert np.abs(finished.enhanced[:] - finished.classical[:]).max() < 1e-3 * np.ptp(finished.classical[:])


@pytest.mark.parametrize("mode", ["auto", "learned"])
def test_an_answer_that_does_not_explain_the_picture_is_refused(planet: Any, models: Path, mode: str) -> None:
    name = trained(models, bias=0.5)
    with planet.store.view(Enhanced, enhanced(planet, name, mode=mode)) as finished:
        assert "re-blurred chi2" in finished.reason
        if mode == "auto":
            assert (finished.used, finished.model) == ("classical", "")
            assert np.array_equal(finished.enhanced[:], finished.classical[:])
        else:
            assert "although" in finished.reason, "who asks for it gets it, and is told"
            assert finished.used == "learned"
        assert finished.learned is not None, "both answers are kept"


def test_outside_what_it_was_trained_on_it_is_not_used(planet: Any, models: Path) -> None:
    with planet.store.view(Enhanced, enhanced(planet, trained(models, bias=1e-6, widest_px=1.1))) as finished:
        assert finished.used == "classical"
        assert "it was trained on 1 to 1.1" in finished.reason


def test_strength_zero_of_a_learned_answer(planet: Any, models: Path) -> None:
    product = enhanced(planet, trained(models, bias=0.5), mode="learned", strength=0.0)
    with planet.store.view(Enhanced, product) as finished, planet.store.view(Evaluated, planet.result) as judged:
        assert finished.enhanced[:].tobytes() == judged.published[:].tobytes()


def test_another_model_is_another_product(planet: Any, models: Path) -> None:
    assert len({enhanced(planet, name).key for name in ("", trained(models), trained(models, bias=0.5))}) == 3


def test_without_a_model_the_answer_is_classical(planet: Any, models: Path) -> None:
    assert chosen_model("enhance", "auto") == ""
    with planet.store.view(Enhanced, enhanced(planet, "0123456789abcdef")) as finished:
        assert finished.used == "classical"
        assert "no promoted model" in finished.reason
