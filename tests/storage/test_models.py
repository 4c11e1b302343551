"""Models on disk: kept whole, promoted only through their gate, sealed test sets counted."""

from pathlib import Path

import pytest

from storage import models as registry
from storage.errors import Hopeless
from storage.models import CARD, find_model, models, note_opening, opened_by, register, set_stage, weights_of

PASSED = {"gate": {"passed": True, "failed": []}, "made_s": 1}
FAILED = {"gate": {"passed": False, "failed": ["planet: gain 0.2 dB, 1.5 dB is asked for"]}, "made_s": 2}


@pytest.fixture(autouse=True)
def _nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "shipped")


def test_a_new_model_is_experimental_until_promoted(tmp_path: Path) -> None:
    model = register("enhance", b"weights", PASSED, tmp_path)
    assert [m.stage for m in models(tmp_path)] == ["experimental"]
    set_stage(model, "promoted", tmp_path)
    assert [m.stage for m in models(tmp_path)] == ["promoted"]
    assert weights_of(find_model(model.hash[:6], tmp_path)) == b"weights"


def test_a_model_whose_gate_failed_is_not_promoted(tmp_path: Path) -> None:
    model = register("enhance", b"weights", FAILED, tmp_path)
    with pytest.raises(Hopeless, match=r"gain 0\.2 dB"):
        set_stage(model, "promoted", tmp_path)


def test_stages_written_by_hand_do_not_promote_a_failed_model(tmp_path: Path) -> None:
    model = register("enhance", b"weights", FAILED, tmp_path)
    (tmp_path / registry.STAGES).write_text(f'{{"enhance/{model.hash}": "promoted"}}')
    assert [m.stage for m in models(tmp_path)] == ["experimental"]


def test_shipped_models_are_promoted_and_can_be_retired(tmp_path: Path) -> None:
    model = register("fill", b"weights", PASSED, registry.SHIPPED)
    assert models(tmp_path)[0].stage == "promoted"
    set_stage(model, "retired", tmp_path)
    assert models(tmp_path)[0].stage == "retired"


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    model = register("fill", b"weights", PASSED, tmp_path)
    (model.folder / registry.WEIGHTS).write_bytes(b"other")
    with pytest.raises(Hopeless, match="not the file that was registered"):
        weights_of(model)


def test_broken_cards_do_not_count(tmp_path: Path) -> None:
    model = register("fill", b"weights", PASSED, tmp_path)
    (model.folder / CARD).write_text("{broken")
    assert models(tmp_path) == []


def test_an_unknown_model_is_named_with_those_known(tmp_path: Path) -> None:
    register("fill", b"weights", PASSED, tmp_path)
    with pytest.raises(Hopeless, match="0 models begin with 'zzz'; known: fill/"):
        find_model("zzz", tmp_path)


def test_openings_of_a_sealed_test_set_are_counted_once_per_training(tmp_path: Path) -> None:
    assert opened_by("fill", "s1", tmp_path) == []
    assert note_opening("fill", "s1", "a", tmp_path) == 1
    assert note_opening("fill", "s1", "a", tmp_path) == 1
    assert note_opening("fill", "s1", "b", tmp_path) == 2
    assert opened_by("fill", "s1", tmp_path) == ["a", "b"]
