"""The forecast of a real capture: from its header, with the recipe's plan, and a table that learns from steps that were made."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.load import load_config
from flows.forecast import forecast_to, planned
from flows.recipe import planned_products
from storage.captures.capture import capture_at
from storage.costs import costs_of
from storage.store import Store
from tasks.running.forecast import Forecast, Size


def test_the_size_is_the_headers_and_the_plan_the_recipes(film: Path, store: Store) -> None:
    config = load_config()
    plan = planned(store, capture_at(film), "cpu", cluster=False)
    assert plan.size == Size(40, 1, 64, 64)
    told: list[Forecast] = []
    with forecast_to(told.append):
        found = plan.announce(config)
    plan.announce(config)
    assert told == [found], "only inside the block"
    assert found is not None
    assert [step.work.kind for step in found.steps[:2]] == ["ingest", "average"]
    assert len(found.steps) == len(planned_products(store, plan.capture, config)) + 1, "and publishing"


def test_a_made_step_adds_a_line_and_a_resumed_one_does_not(
    film: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(store, capture_at(film), "cpu", cluster=False)
    found = plan.forecast(load_config())
    assert found is not None
    product = planned_products(store, plan.capture, load_config())[0]
    work: Any = SimpleNamespace(label="ingest", product=product)
    monkeypatch.setattr(Store, "seconds", lambda *_: 2.5)
    store.parts(product).mkdir(parents=True)
    plan.noted(work, lambda: None, found.steps)()
    assert costs_of(store.root, plan.machine) == [], "only its rest was made"
    store.parts(product).rmdir()
    plan.noted(work, lambda: None, found.steps)()
    [line] = costs_of(store.root, plan.machine)
    assert (line.kind, line.amount, line.seconds) == ("ingest", 40 * 64 * 64, 2.5)
    again = plan.forecast(load_config())
    assert again is not None
    assert again.steps[0].seconds == pytest.approx(2.5)


def test_a_capture_that_cannot_be_read_has_no_forecast(film: Path, store: Store, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ser"
    broken.write_bytes(b"no capture")
    plan = planned(store, replace(capture_at(film), path=broken), "cpu", cluster=False)
    assert plan.announce(load_config()) is None
