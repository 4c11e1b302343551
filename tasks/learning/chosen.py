"""The model that a learned step will use: its hash enters the step's key, so that another model makes another product."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from storage.models import Model, models
from tasks.learning.registry import best_model, can_load, why_none


def chosen_model(step: str, mode: str) -> str:
    """Hash of the model of a step in this mode; empty: the classical answer.

    auto takes promoted models only, learned also the newest that still is an experiment.
    """
    if mode not in ("learned", "auto") or not can_load():
        return ""
    model = best_model(step)
    if model is None and mode == "learned":
        model = next((m for m in models() if m.step == step and m.stage == "experimental"), None)
    return model.hash if model else ""


def model_named(step: str, name: str) -> Model | None:
    """The model of a step with this hash; None where it is not there any more."""
    return next((m for m in models() if m.step == step and m.hash == name), None) if name else None


@dataclass(frozen=True)
class Choice:
    """Which of two answers is shown, and why."""

    used: Literal["classical", "learned", "none"]
    """none: there is nothing to answer."""
    reason: str
    model: str = ""
    """Hash of the model whose answer it is; empty: none."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """Figures of that model's gate."""


def choice(step: str, mode: str, model: Model | None, fault: str) -> Choice:
    """The learned answer where it is asked for, or where nothing speaks against it (`fault` empty); else the classical one."""
    if mode == "classical":
        return Choice("classical", f"as [{step}] mode says")
    if model is None:
        return Choice("classical", why_none(step))
    if fault and mode == "auto":
        return Choice("classical", f"the learned answer of model {model.hash} is refused: {fault}")
    why = f"model {model.hash} passed its gate, and its answer the checks on this capture"
    if fault:
        why = f"as [{step}] mode says, although {fault}"
    return Choice("learned", why, model.hash, model.card.get("gate", {}))


def outside_domain(model: Model, found: Mapping[str, float]) -> str:
    """What of tonight lies outside what the model was trained on, in words; empty where all is inside."""
    domain = model.card.get("domain") or {}
    for name, value in found.items():
        if name not in domain:
            return f"its card does not say for which {name} it was trained"
        low, high = (float(each) for each in domain[name])
        if not low <= value <= high:
            return f"{name} is {value:.3g}, and it was trained on {low:.3g} to {high:.3g}"
    return ""
