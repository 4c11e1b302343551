"""Training of a learned answer as a Prefect flow: simulated pairs, ladder, choice, fit, sealed test, gate, registry."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from configs.training import TrainRequest, training_settings
from flows.context import value_within
from flows.server.embedded import default_store
from flows.ui.artifacts import ProgressArtifacts
from flows.ui.training_page import Trained, page
from storage.store import Store
from tasks.learning.card import card_of, count_opening, registered, sealed_number
from tasks.learning.pairs.table import lesson_of
from tasks.learning.training import ShardRequest, choose_rate, fit_net, judge_net, simulate_shard
from tasks.running.devices import pick_device
from tasks.running.prefect_task import perform
from tasks.running.step import Listener, Performer, Run, Work

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
"""Who receives the progress: a flow's parameters are JSON, a callback cannot be one."""


def progress_to(listener: Listener | None) -> AbstractContextManager[None]:
    """Send the progress of trainings inside the block to `listener`."""
    return value_within(_listener, listener)


@flow(name="train", flow_run_name="train {request.step}")
def train(request: TrainRequest) -> dict[str, Any]:
    """Train the net of one step; returns its card. What the store holds already is not done again."""
    bars = ProgressArtifacts(f"train-{request.step}")

    def performer(work: Work, retries: int, make: Callable[[], None]) -> None:
        perform(work, retries, bars.with_artifacts(work, make))

    listener = _listener.get()
    trained = train_model(request, performer, (bars.update_progress, *((listener,) if listener else ())))
    create_markdown_artifact(page(trained), key=f"train-{request.step}", description="the card of the trained model")
    return {"hash": trained.model.hash, "stage": trained.model.stage, **trained.model.card}


def train_model(request: TrainRequest, performer: Performer, listeners: tuple[Listener, ...] = ()) -> Trained:
    """The training, step by step; the model is kept whether it passes its gate or not, and promoted only if it does."""
    settings = training_settings(request)
    store, lesson = Store(request.store or default_store()), lesson_of(request.step)
    run = Run(store, pick_device(request.device), performer, listeners)
    name, number = request.step, sealed_number(request.step, settings, request)

    def shards(part: str, families: tuple[str, ...], which: int = 0) -> tuple[Any, ...]:
        requests = [ShardRequest(learned_step=name, family=f, part=part, number=which) for f in families]
        return tuple(
            simulate_shard(replace(run, round_name=f" {r.part} {r.family}"), r, settings.examples()) for r in requests
        )

    products = {"train": shards("train", lesson.families), "validation": shards("validation", lesson.families)}
    choice = choose_rate(run, name, products["train"], products["validation"], settings)
    fitted = fit_net(run, name, products["train"], products["validation"], choice, settings)
    opened = count_opening(name, settings, number, request.models)
    products["test"] = shards("test", (*lesson.families, *lesson.unseen), number)
    judged = judge_net(run, name, fitted, products["test"], settings)
    products |= {"choice": (choice,), "fitted": (fitted,), "judged": (judged,)}
    card = card_of(store, request, settings, products, {"number": number, "opened_by_trainings": opened})
    return Trained(registered(store, card, fitted, request), store, fitted, judged)
