"""The card of a trained model as a page: what the gate found, the curve of the loss, what happened."""

from flows.ui.markdown import figure, table, text
from storage.models import Model

SHOWN = ("family", "trained_on", "examples", "gain", "wins", "worst_gain")
"""Columns of the gate's table."""


def page(model: Model) -> str:
    """Markdown with the verdict first."""
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


def _cell(value: object) -> str:
    return figure(value) if isinstance(value, float) else text(str(value))
