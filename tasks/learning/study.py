"""Studies: declared grids of small trainings, each cell a product of the store; a table in which no cell is silent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product as grid
from typing import Annotated, Any, ClassVar

from configs.section import Section
from storage.declared import Content, Value
from storage.errors import Hopeless
from storage.product import Product
from storage.store import Store
from tasks.learning.study_cells import burst_cell, dewarp_cell, surgery_cell
from tasks.running.step import Run, Work, step


class Variant(Section):
    """One cell of a study."""

    study: str
    name: str
    steps: int
    """Optimiser steps."""
    choices: dict[str, Any]
    """What is varied."""


@dataclass(frozen=True)
class Cell(Content):
    """What a cell found."""

    step: ClassVar[str] = "study_cell"

    figures: Annotated[dict[str, Any], Value("", "The figures of the cell.")]
    took_s: Annotated[float, Value("s", "How long its training took.")]


def _burst() -> list[dict[str, Any]]:
    rows = [
        {"size_px": size, "motion": motion, "middle": middle, "input_noise": noise, "head": "value"}
        for size, motion, (middle, noise) in grid(
            (16, 32), ("static", "dynamic"), ((False, False), (True, False), (True, True))
        )
    ]
    return [*rows, *({**rows[i], "head": "quantised"} for i in (6, 9))]


def _surgery() -> list[dict[str, Any]]:
    rows = [
        {"policy": policy, "rate": rate, "clip": "value", "mode": "mean"}
        for policy, rate in grid(("last", "first+last", "first+second+last", "all"), (0.101, 0.05, 0.005))
    ]
    return [*rows, {**rows[-3], "clip": "none"}, {**rows[-1], "mode": "first"}]


STUDIES: dict[str, tuple[Callable[[Variant], dict[str, Any]], Callable[[], list[dict[str, Any]]], int]] = {
    "burst": (lambda v: burst_cell(v.steps, **v.choices), _burst, 150),
    "surgery": (lambda v: surgery_cell(v.steps, **v.choices), _surgery, 100),
    "dewarp": (
        lambda v: dewarp_cell(v.steps, **v.choices),
        lambda: [{"net": "costs"}, {"net": "two pictures"}],
        150,
    ),
}
"""Study: what a cell does, its grid, steps per cell."""


@step(version="2")
def study_cell(work: Work, variant: Variant) -> None:
    """Train one variant and measure it; a training that ends in no number has failed, and is not repeated."""
    began = time.monotonic()
    figures = STUDIES[variant.study][0](variant)
    lost = [name for name, value in figures.items() if isinstance(value, float) and not math.isfinite(value)]
    if lost:
        figures = {name: value for name, value in figures.items() if name not in lost}
        figures |= {"failed": f"{', '.join(lost)} is no number"}
    work.save(Cell(figures=figures, took_s=round(time.monotonic() - began, 2)))


def variants(study: str, steps: int | None = None) -> list[Variant]:
    """The grid of a study."""
    if study not in STUDIES:
        raise Hopeless(f"there is no study {study!r}; known: {', '.join(STUDIES)}")
    _, choices, usual = STUDIES[study]
    return [
        Variant(study=study, name=", ".join(f"{k}={v}" for k, v in row.items()), steps=steps or usual, choices=row)
        for row in choices()
    ]


def table(store: Store, cells: list[Variant], failed: dict[str, str]) -> tuple[list[dict[str, Any]], int]:
    """A row per cell with its state, and how many are pending or failed: they stand in the table as such."""
    rows, open_cells = [], 0
    for variant in cells:
        product = planned(variant, store)
        row: dict[str, Any] = dict(variant.choices)
        if store.has(product):
            with store.view(Cell, product) as cell:
                figures = dict(cell.figures)
                reason = figures.pop("failed", None)
                open_cells += reason is not None
                row |= {"state": "done" if reason is None else f"failed: {reason}", **figures, "seconds": cell.took_s}
        else:
            open_cells += 1
            row["state"] = f"failed: {failed[variant.name]}" if variant.name in failed else "pending"
        rows.append(row)
    return rows, open_cells


def planned(variant: Variant, store: Store) -> Product:
    """The product of a cell, whether it is there or not."""
    plan: list[Product] = []
    return study_cell(Run(store, plan=plan), variant)
