"""The card of a trained model as a page: what the gate found, the curve of the loss, what happened."""

from dataclasses import dataclass

from flows.ui.markdown import drawing, figure, picture, table, text
from storage.models import Model
from storage.product import Product
from storage.store import Store
from tasks.learning.products import Fitted, Judged
from tasks.reporting.svg import standalone
from tasks.reporting.training import curve_chart, sample_pictures

SHOWN = ("family", "trained_on", "examples", "gain", "wins", "worst_gain")
"""Columns of the gate's table."""


@dataclass(frozen=True)
class Trained:
    """A model, and what its training left in the store."""

    model: Model
    store: Store
    fitted: Product
    judged: Product


def page(trained: Trained) -> str:
    """Markdown with the verdict first, then the table of the gate, the curve of the fit, and samples of the sealed test."""
    return "\n\n".join([_card(trained.model), _curve(trained), _samples(trained)])


def _card(model: Model) -> str:
    card, gate = model.card, model.card["gate"]
    head = f"# {model.step}/{model.hash}: {model.stage}"
    said = "The gate is passed." if gate["passed"] else "The gate is not passed:"
    rows = [{name: _cell(row[name]) for name in SHOWN if name in row} for row in card["table"]]
    fit = card["fit"]
    facts = (
        f"Fit: {fit['verdict']}, {fit['reverts']} reverts, gradient clipped in {fit['clip_share']:.0%} of the steps; sealed "
        f"test set opened by {card['sealed_test']['opened_by_trainings']} trainings; {card['seconds']:.0f} s."
    )
    events = [f"- step {e['step']}: {text(e['cause'])}" for e in fit["events"]]
    return "\n\n".join(
        [head, said, "\n".join(f"- {text(f)}" for f in gate["failed"]), table(rows), facts, "\n".join(events)]
    )


def _curve(trained: Trained) -> str:
    with trained.store.view(Fitted, trained.fitted) as fitted:
        return drawing(standalone(curve_chart(fitted.curve, fitted.events)), "gain over the classical answer")


def _samples(trained: Trained) -> str:
    with trained.store.view(Judged, trained.judged) as judged:
        rows = [
            {"family": text(family), **{name: picture(png, name) for name, png in sample_pictures(pictures).items()}}
            for family, pictures in zip(judged.families, judged.sample[:], strict=True)
        ]
    return table(rows)


def _cell(value: object) -> str:
    return figure(value) if isinstance(value, float) else text(str(value))
