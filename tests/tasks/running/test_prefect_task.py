"""Steps as Prefect tasks, under a real server: half a minute, nearly all of it the server's start."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from flows.server.embedded import wait_until_recorded
from storage.captures.capture import Capture
from storage.declared import Content, Value
from storage.errors import BadCapture, StillskyError, StoreError
from storage.product import Product
from storage.store import Store
from tasks.running import prefect_task
from tasks.running.prefect_task import ProductPolicy, ProductSerializer
from tasks.running.step import Run, Work, step

CAPTURE = Capture(Path("/night/jupiter.ser"), "f" * 64)
TRIES: list[str] = []
FAIL: dict[str, Exception] = {}
"""Step: what it raises the next time it is tried."""


@dataclass(frozen=True)
class Number(Content):
    """What a toy step leaves."""

    step: ClassVar[str] = "sow"
    value: Annotated[int, Value("", "A number.")]


@step(version="1", retries=2)
def sow(work: Work, capture: Capture, number: int) -> None:
    """Write a number, unless told to fail."""
    TRIES.append(work.label)
    with work.draft() as draft:
        draft.fill(Number(number))
        if "sow" in FAIL:
            raise FAIL.pop("sow")


@step(version="1", retries=2)
def reap(work: Work, seed: Product) -> None:
    """Double a number."""
    TRIES.append(work.label)
    with work.open(Number, seed) as source:
        work.save(Number(2 * source.value))


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with (
        prefect_test_harness(server_startup_timeout=180),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture(autouse=True)
def _fresh() -> None:
    TRIES.clear()
    FAIL.clear()


def run(store: Store, number: int) -> tuple[Product, dict[str, str]]:
    """The product of a flow of two steps, and the name of each task run's last state."""
    runs: list[str] = []
    performed: list[str] = []

    def perform(work: Work, retries: int, make: Callable[[], None]) -> None:
        performed.append(work.label)
        prefect_task.perform(work, retries, make)

    @flow(validate_parameters=False)
    def harvest() -> Product:
        from prefect.runtime import flow_run

        runs.append(str(flow_run.id))
        here = Run(store, performer=perform).in_round(1)
        return reap(here, sow(here, CAPTURE, number))

    try:
        return harvest(), states(runs)
    finally:
        assert wait_until_recorded(runs[0], len(performed))


def states(runs: list[str]) -> dict[str, str]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    assert wait_until_recorded(runs[0], 2)
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=runs)))  # type: ignore[list-item]
    return {r.name: r.state.name for r in found if r.state is not None}


def test_a_second_run_finds_everything_cached(server: None, store: Store) -> None:
    first, made = run(store, 1)
    again, found = run(store, 1)
    assert first == again
    assert made == {"sow round 1": "Completed", "reap round 1": "Completed"}
    assert found == {"sow round 1": "Cached", "reap round 1": "Cached"}
    assert TRIES == ["sow round 1", "reap round 1"]


def test_a_deleted_product_is_made_again(server: None, store: Store) -> None:
    first, _ = run(store, 2)
    store.remove(first)
    TRIES.clear()
    again, found = run(store, 2)
    assert again == first
    assert store.has(first)
    assert found == {"sow round 1": "Cached", "reap round 1": "Completed"}
    assert TRIES == ["reap round 1"]


def test_another_store_does_not_take_the_first_ones_word(server: None, store: Store, tmp_path: Path) -> None:
    first, _ = run(store, 3)
    other = Store(tmp_path / "other")
    again, _ = run(other, 3)
    assert again == first
    assert other.has(again)


def test_the_hopeless_is_not_tried_again(server: None, store: Store) -> None:
    FAIL["sow"] = BadCapture("no light")
    with pytest.raises(BadCapture, match="no light"):
        run(store, 4)
    assert TRIES == ["sow round 1"]
    assert store.entries() == []


def test_a_full_disk_is_tried_again(server: None, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    FAIL["sow"] = StoreError("no room")
    result, made = run(store, 5)
    assert store.has(result)
    assert TRIES == ["sow round 1", "sow round 1", "reap round 1"]
    assert made["sow round 1"] == "Completed"


@step(version="1")
def dig(work: Work, capture: Capture) -> None:
    """Never ends by itself."""
    with work.draft() as draft:
        draft.fill(Number(1))
        while True:
            TRIES[:] = [work.label]


def test_a_step_that_takes_too_long_is_stopped_in_the_middle(server: None, store: Store) -> None:
    """Nothing half-written is left, and the message says which setting it was."""

    def perform(work: Work, retries: int, make: Callable[[], None]) -> None:
        prefect_task.perform(work, retries, make, timeout_s=0.3)

    @flow(validate_parameters=False)
    def harvest() -> Product:
        return dig(Run(store, performer=perform), CAPTURE)

    with pytest.raises(StillskyError, match=r"dig took longer than timeouts.dig_s = 0.3 s; raise that limit"):
        harvest()
    assert TRIES == ["dig"]
    assert not [p for p in store.root.rglob("*") if p.is_file()]


def test_repetitions_come_ever_later_and_not_all_at_once(
    server: None, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    real = prefect_task.task
    monkeypatch.setattr(prefect_task, "task", lambda **options: told.append(options) or real(**options))
    run(store, 7)
    assert told[0]["retry_delay_seconds"](3) == [2, 4, 8]
    assert told[0]["retry_jitter_factor"] == 0.5


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pause before another try."""
    real = prefect_task.task

    def hurried(**options: Any) -> Any:
        return real(**{**options, "retry_delay_seconds": 0})

    monkeypatch.setattr(prefect_task, "task", hurried)


def test_a_record_is_good_while_its_product_is_there(store: Store) -> None:
    serializer, product = ProductSerializer(), sow(Run(store), CAPTURE, 6)
    record = serializer.dumps([str(store.root), product.step, product.key])
    assert serializer.loads(record) == [str(store.root), product.step, product.key]
    store.remove(product)
    with pytest.raises(LookupError, match="not in the store"):
        serializer.loads(record)
    with pytest.raises(LookupError):
        serializer.loads(serializer.dumps(ValueError("bad")))


def test_the_record_is_named_after_the_product_and_its_store() -> None:
    product = Product("sky", "a" * 32)
    here, there = (ProductPolicy().compute_key(None, {"product": product, "root": root}, {}) for root in ("/a", "/b"))
    assert here.startswith(f"sky-{product.key}-")
    assert here != there
