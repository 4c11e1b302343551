"""The registry: the best promoted model, strict loading, and words where the library is missing."""

import json
from pathlib import Path

import pytest
import torch

from storage import models as disk
from storage.errors import Hopeless
from storage.models import register, set_stage
from tasks.learning import registry
from tasks.learning.registry import NETS, best_model, load, net_with, new_net, weights_in, why_none

CARD = {"gate": {"passed": True}, "width": 4, "made_s": 1}


@pytest.fixture(autouse=True)
def _nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SHIPPED", tmp_path / "shipped")


@pytest.mark.parametrize("step", NETS)
def test_every_net_comes_back_as_it_was(step: str, tmp_path: Path) -> None:
    net = new_net(step, 4)
    model = register(step, weights_in(net), CARD, tmp_path)
    back = load(model)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), back.state_dict().values(), strict=True))


@pytest.mark.parametrize("step", NETS)
def test_every_new_net_gives_the_classical_answer(step: str) -> None:
    net = new_net(step, 4)
    channels = 2 if step == "dewarp" else 1
    inputs, classical = torch.randn(2, net.inputs, 24, 24), torch.rand(2, channels, 24, 24)
    answer = net(inputs, classical, torch.zeros(2, net.conditions))
    assert torch.equal(answer[:, :channels], classical)


def test_only_promoted_models_are_used_and_the_newest_first(tmp_path: Path) -> None:
    assert best_model("fill", tmp_path) is None
    older = register("fill", weights_in(new_net("fill", 4, seed=1)), CARD, tmp_path)
    newer = register("fill", weights_in(new_net("fill", 4, seed=2)), {**CARD, "made_s": 2}, tmp_path)
    assert best_model("fill", tmp_path) is None
    set_stage(older, "promoted", tmp_path)
    assert best_model("fill", tmp_path).hash == older.hash
    set_stage(newer, "promoted", tmp_path)
    assert best_model("fill", tmp_path).hash == newer.hash


def test_weights_of_another_net_are_refused_in_words() -> None:
    with pytest.raises(Hopeless, match="do not fit the net of fill"):
        net_with("fill", 8, weights_in(new_net("fill", 4)))


def test_a_file_that_is_no_safetensors_is_refused() -> None:
    with pytest.raises(Hopeless, match="Train it anew"):
        net_with("fill", 4, b"PK\x03\x04 a pickle in an archive")


def test_without_the_library_the_answer_is_classical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_stage(register("fill", weights_in(new_net("fill", 4)), CARD, tmp_path), "promoted", tmp_path)
    monkeypatch.setattr(registry, "can_load", lambda: False)
    assert best_model("fill", tmp_path) is None
    assert "pip install 'stillsky[learned]'" in why_none("fill")


def test_an_unknown_step_is_named() -> None:
    with pytest.raises(Hopeless, match=r"'sharpen'; known: fill, dewarp, burst, enhance"):
        new_net("sharpen", 4)


def test_the_models_that_come_with_stillsky_passed_their_gate_and_are_small(tmp_path: Path) -> None:
    shipped = Path(disk.__file__).parent / "shipped_models"
    found = [Path(path).parent for path in shipped.glob("*/*/card.json")]
    assert found
    for folder in found:
        weights = (folder / disk.WEIGHTS).read_bytes()
        card = json.loads((folder / disk.CARD).read_text())
        assert disk.hash_of(weights) == folder.name
        assert len(weights) <= 2**20
        assert card["gate"]["passed"]
        net_with(card["step"], card["width"], weights)
