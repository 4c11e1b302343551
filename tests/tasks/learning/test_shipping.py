"""Only a model that passed its gate is shipped, and it replaces the one before."""

from pathlib import Path

import pytest

from storage import models as disk
from storage.models import CARD, WEIGHTS, register, set_stage
from tasks.learning.shipping import ship


def test_a_promoted_model_replaces_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SHIPPED", tmp_path / "none")
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    model = register("fill", b"weights", {"gate": {"passed": True}}, own, onnx=b"onnx")
    assert "no model" in ship("fill", own, shipped)
    set_stage(model, "promoted", own)
    (shipped / "fill" / "old").mkdir(parents=True)
    assert "is new" in ship("fill", own, shipped)
    assert sorted(p.name for p in (shipped / "fill" / model.hash).iterdir()) == sorted([CARD, WEIGHTS])
    assert [p.name for p in (shipped / "fill").iterdir()] == [model.hash]


def test_the_folder_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `make models` gives it."""
    monkeypatch.setattr(disk, "SHIPPED", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    set_stage(register("fill", b"weights", {"gate": {"passed": True}}, Path("own")), "promoted", Path("own"))
    assert "is new" in ship("fill", Path("own"), tmp_path / "shipped")
