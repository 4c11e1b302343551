"""A whole training in small: every step a product, a sealed test that is counted, a model that its gate decides on."""

from collections.abc import Iterator

import pytest

from configs.training import TrainRequest, training_settings
from flows import train as flow
from flows.cli.train import summary
from flows.train import train_model
from flows.ui.training_page import Trained, page
from storage import models as disk
from storage.errors import Hopeless
from storage.models import models, opened_by
from storage.store import Store
from tasks.learning import card, choice
from tasks.learning.card import sealed_number, training_name
from tasks.learning.products import Shard
from tasks.learning.registry import best_model, load
from tasks.learning.training import ShardRequest, check_split, first_seed, fit_net, pairs_of, simulate_shard
from tasks.running.step import Run, make_simply
from tests.tasks.learning.conftest import TOY


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(card, "exported", lambda net: (b"", {"offered": False, "reason": "not in this test"}))
        patch.setattr(choice, "MUST_OVERFIT", -1.0)  # what a rung asks for is tested where the ladder is
        yield patch


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch) -> tuple[TrainRequest, Trained]:
    folder = tmp_path_factory.mktemp("train")
    patched.setattr(disk, "SHIPPED", folder / "shipped")
    request = TrainRequest(
        step="enhance", store=folder / "store", models=folder / "models", overrides=TOY, device="cpu"
    )
    return request, train_model(request, make_simply)


def test_a_model_that_learnt_little_is_kept_but_not_promoted(trained: tuple[TrainRequest, Trained]) -> None:
    request, model = trained[0], trained[1].model
    assert model.stage == "experimental"
    assert not model.card["gate"]["passed"]
    assert model.card["gate"]["failed"]
    assert best_model("enhance", request.models) is None
    assert load(models(request.models)[0]) is not None


def test_the_card_tells_what_was_done(trained: tuple[TrainRequest, Trained]) -> None:
    told = trained[1].model.card
    assert told["examples"]["train planet"] == 4
    assert told["examples"]["test satellite"] == 2
    assert told["never_trained_on"] == ["satellite"]
    assert [row["family"] for row in told["table"]] == ["planet", "moon", "sun", "stars", "galaxy", "satellite"]
    assert told["sealed_test"] == {"number": 0, "opened_by_trainings": 1}
    assert set(told["domain"]) == {"fwhm_px", "relative_sigma"}
    assert told["fit"]["verdict"] in ("fits", "underfits", "overfits", "stuck")


def test_the_same_training_is_not_done_again_and_does_not_open_again(trained: tuple[TrainRequest, Trained]) -> None:
    request, model = trained[0], trained[1].model
    made = {entry.product: entry.made for entry in Store(request.store).entries()}
    assert train_model(request, make_simply).model.hash == model.hash
    assert {entry.product: entry.made for entry in Store(request.store).entries()} == made
    assert len(opened_by("enhance", "seed 0 set 0", request.models)) == 1


def test_changed_settings_and_reseal_take_a_new_test_set(trained: tuple[TrainRequest, Trained]) -> None:
    request, _ = trained
    settings = training_settings(request)
    other = settings.model_copy(update={"steps": 25})
    assert training_name("enhance", other) != training_name("enhance", settings)
    assert sealed_number("enhance", settings, request) == 0
    assert sealed_number("enhance", other, request) == 1
    assert sealed_number("enhance", settings, request.model_copy(update={"reseal": True})) == 1


def test_a_sealed_test_set_cannot_be_trained_on(trained: tuple[TrainRequest, Trained]) -> None:
    request, _ = trained
    settings, run = training_settings(request), Run(Store(request.store))
    sealed = simulate_shard(
        run, ShardRequest(learned_step="enhance", family="sun", part="test", number=0), settings.examples()
    )
    with pytest.raises(Hopeless, match="sealed test set"):
        fit_net(run, "enhance", (sealed,), (sealed,), sealed, settings)
    with run.store.view(Shard, sealed) as opened:
        pairs = pairs_of(opened)
    with pytest.raises(Hopeless, match="share the sky of seed"):
        check_split(pairs, pairs)


def test_no_two_shards_share_a_seed() -> None:
    firsts = [
        first_seed(ShardRequest(learned_step="enhance", family=family, part=part, number=number), seed)
        for family in ("planet", "satellite")
        for part in ("train", "test")
        for number in (0, 1)
        for seed in (0, 1)
    ]
    assert len(set(firsts)) == len(firsts)
    assert min(b - a for a, b in zip(sorted(firsts), sorted(firsts)[1:], strict=False)) >= 1000


def test_the_page_and_the_lines_tell_the_gate(trained: tuple[TrainRequest, Trained]) -> None:
    model, shown = trained[1].model, page(trained[1])
    assert "The gate is not passed" in shown
    assert shown.count("data:image/svg+xml") == 1, "the curve of the fit"
    assert shown.count("data:image/png") == 4 * 6, "given, classical, learned and truth of six families"
    lines = summary({"hash": model.hash, "stage": model.stage, **model.card})
    assert lines[0].endswith("experimental")
    assert any("never trained on" in line for line in lines)
    assert flow.train.name == "train"
