"""stillsky models: listed, shown, promoted only through the gate, retired."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import main
from storage import models as disk
from storage.models import register

PASSED = {"gate": {"passed": True}, "made_s": 1e9, "table": [{"gain": 2.0}, {"gain": 1.75}]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(disk, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "models"


def said(folder: Path, *words: str) -> str:
    return CliRunner().invoke(main, ["models", *words, "--models", str(folder)]).output


def test_models_are_listed_promoted_shown_and_retired(folder: Path) -> None:
    assert "there are no models; stillsky train STEP makes one" in said(folder, "ls")
    name = register("fill", b"weights", PASSED, folder).hash
    assert "experimental" in said(folder, "ls")
    assert "gain at least +1.75" in said(folder, "ls")
    assert said(folder, "promote", name[:5]).endswith("promoted\n")
    assert '"stage": "promoted"' in said(folder, "show", f"fill/{name}")
    assert said(folder, "retire", name).endswith("retired\n")


def test_a_model_that_did_not_pass_is_refused_in_words(folder: Path) -> None:
    name = register("fill", b"weights", {"gate": {"passed": False, "failed": ["moon: gain 0.1"]}}, folder).hash
    answer = said(folder, "promote", name)
    assert "did not pass its gate: moon: gain 0.1" in answer
    assert "Traceback" not in answer
