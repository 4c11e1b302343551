"""Which model a step will use: promoted ones; experiments only where they are asked for."""

from pathlib import Path

import pytest

from storage.models import Model, register, set_stage
from tasks.learning.chosen import chosen_model, model_named, outside_domain
from tasks.learning.registry import new_net, weights_in


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("STILLSKY_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("storage.models.SHIPPED", tmp_path / "shipped")
    return register("fill", weights_in(new_net("fill", 4)), {"width": 4, "gate": {"passed": True}})


def test_experiments_only_where_asked_for(experiment: Model) -> None:
    assert [chosen_model("fill", mode) for mode in ("off", "classical", "auto")] == ["", "", ""]
    assert chosen_model("fill", "learned") == experiment.hash
    set_stage(experiment, "promoted")
    assert chosen_model("fill", "auto") == experiment.hash
    assert chosen_model("burst", "auto") == ""


def test_a_model_is_found_by_its_hash(experiment: Model) -> None:
    found = model_named("fill", experiment.hash)
    assert found is not None
    assert found.hash == experiment.hash
    assert model_named("burst", experiment.hash) is None
    assert model_named("fill", "") is None


def test_without_the_library_all_is_classical(experiment: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.learning.chosen.can_load", lambda: False)
    assert chosen_model("fill", "learned") == ""


@pytest.mark.parametrize(
    ("domain", "word"),
    [({"sigma": [0.1, 0.2]}, ""), ({"sigma": [0.3, 0.4]}, "trained on 0.3 to 0.4"), ({}, "does not say")],
)
def test_domain(domain: dict[str, list[float]], word: str) -> None:
    model = Model("fill", "0" * 16, "promoted", {"domain": domain}, Path("/nowhere"))
    said = outside_domain(model, {"sigma": 0.15})
    assert word in said
    assert bool(said) == bool(word)
