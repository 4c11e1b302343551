"""The card of a model: what it was trained on, how, and what the gate found; and its registration."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from configs.training import Training, TrainRequest
from storage.models import Model, note_opening, opened_by, register, set_stage
from storage.product import Product
from storage.store import Store
from tasks.learning.onnx_export import exported
from tasks.learning.pairs.table import lesson_of
from tasks.learning.products import Choice, Fitted, Judged, Shard
from tasks.learning.registry import net_with


def training_name(step: str, settings: Training) -> str:
    """Name of a training: the same settings have the same."""
    text = json.dumps([step, settings.model_dump(mode="json")], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:12]


def sealed_number(step: str, settings: Training, request: TrainRequest) -> int:
    """The first sealed test set that no other training has seen; asked for with `reseal`, one that nobody has."""
    name, number = training_name(step, settings), 0
    while seen := opened_by(step, sealed_name(settings, number), request.models):
        if name in seen and not request.reseal:
            break
        number += 1
    return number


def sealed_name(settings: Training, number: int) -> str:
    """Name of a sealed test set in the count of openings."""
    return f"seed {settings.seed} set {number}"


def count_opening(step: str, settings: Training, number: int, models: Path | None) -> int:
    """Record that this training opens a sealed test set; how many trainings have."""
    return note_opening(step, sealed_name(settings, number), training_name(step, settings), models)


def card_of(
    store: Store,
    request: TrainRequest,
    settings: Training,
    products: dict[str, tuple[Product, ...]],
    opened: dict[str, Any],
) -> dict[str, Any]:
    """All that is known of a trained net, as plain JSON."""
    lesson, counts = lesson_of(request.step), {}
    for part in ("train", "validation", "test"):
        for shard in products[part]:
            with store.view(Shard, shard) as content:
                counts[f"{part} {content.family}"] = len(content.inputs)
    with store.view(Choice, products["choice"][0]) as choice:
        chosen = {"rate": choice.rate, "rungs": choice.rungs, "folds": choice.folds}
    with store.view(Fitted, products["fitted"][0]) as fitted:
        held = [row["validation_gain"] for row in fitted.curve if "validation_gain" in row]
        fit = {
            "verdict": fitted.verdict, "reverts": len(fitted.events), "events": fitted.events,
            "critic": fitted.critic,
            "clip_share": round(fitted.clip_share, 4), "best_validation_gain": max(held), "last_validation_gain": held[-1],
        }  # fmt: skip
    with store.view(Judged, products["judged"][0]) as judged:
        table, gate, domain = judged.table, judged.gate, judged.domain
    every = [p for part in products.values() for p in part]
    return {
        "step": request.step, "width": settings.width, "recipe": request.recipe, "made_s": round(time.time()),
        "settings": settings.model_dump(mode="json"), "examples": counts, "trained_on": list(lesson.families),
        "never_trained_on": list(lesson.unseen), "source": "simulated by stillsky; no pictures from elsewhere",
        "domain": domain, "choice": chosen, "fit": fit, "sealed_test": opened, "table": table, "gate": gate,
        "seconds": round(sum(store.seconds(p) for p in every), 1),
    }  # fmt: skip


def registered(store: Store, card: dict[str, Any], fitted: Product, request: TrainRequest) -> Model:
    """Keep the model with its card, as ONNX too; promoted if it passed its gate and this is wanted."""
    with store.view(Fitted, fitted) as content:
        weights = content.weights[:].tobytes()
    net = net_with(card["step"], card["width"], weights)
    onnx, parity = exported(net)
    card = {**card, "onnx": parity, "weights": sum(p.numel() for p in net.parameters())}
    model = register(card["step"], weights, card, request.models, onnx)
    return set_stage(model, "promoted", request.models) if card["gate"]["passed"] and request.promote else model
