"""@step: a call gives its product, and makes it only when it is not there."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from storage.captures.capture import Capture
from storage.errors import BadCapture
from storage.product import Product
from storage.store import Store
from tasks.running.step import Run, Work, step
from tests.tasks.running.toy_steps import CAPTURE, MADE, Number, Settings, add_up, grow, planned, recipe, value


def test_a_recipe_runs_once(run: Run) -> None:
    result = recipe(run)
    assert MADE == ["grow", "grow", "add up"]
    assert value(run.store, result) == 5.0
    assert recipe(run) == result
    assert len(MADE) == 3


def test_planning_makes_nothing(run: Run) -> None:
    products = planned(run)
    assert (MADE, run.store.entries()) == ([], [])
    assert recipe(run) == products[-1]
    assert {e.product for e in run.store.entries()} == set(products)


def test_a_deleted_product_is_made_again_alone(run: Run) -> None:
    products, result = planned(run), recipe(run)
    MADE.clear()
    run.store.remove(products[0])
    assert recipe(run) == result
    assert MADE == ["grow"]


def test_a_step_that_fails_leaves_nothing_and_is_tried_again(run: Run) -> None:
    tries: list[int] = []

    @step(version="1")
    def stumble(work: Work, capture: Capture) -> None:
        """Fail the first time."""
        tries.append(1)
        with work.draft() as draft:
            draft.fill(Number(1.0))
            if len(tries) == 1:
                raise BadCapture("no light")

    with pytest.raises(BadCapture, match="no light"):
        stumble(run, CAPTURE)
    assert run.store.entries() == []
    assert run.store.has(stumble(run, CAPTURE))
    assert len(tries) == 2


def test_parts_of_a_failed_step_are_kept(run: Run) -> None:
    parts: list[int] = []

    @step(version="1")
    def long(work: Work, capture: Capture) -> None:
        """Three parts; the first run stops after two."""
        for number in range(3):
            if number == 2 and len(parts) == 2:
                parts.append(-1)
                raise KeyboardInterrupt

            def make(number: int = number) -> Number:
                parts.append(number)
                return Number(float(number))

            with work.part(f"part{number}", Number, make) as part:
                assert part.value == number
        work.save(Number(3.0))

    with pytest.raises(KeyboardInterrupt):
        long(run, CAPTURE)
    long(run, CAPTURE)
    assert parts == [0, 1, -1, 2]


def test_listeners_receive_the_progress(run: Run) -> None:
    received: list[tuple[str, float, int]] = []
    grow(replace(run, listeners=(lambda *news: received.append(news),)).in_round(2), CAPTURE, Settings())
    assert received == [("grow round 2", 1, 2), ("grow round 2", 1, 1)]
    grow(run, CAPTURE, Settings(factor=9))
    assert len(received) == 2, "another run has other listeners"


def test_a_part_of_the_work_is_reported_as_its_share(store: Store) -> None:
    received: list[tuple[str, float, int]] = []
    run = Run(store, listeners=(lambda *news: received.append(news),))
    Work(run, Product("grow", "0"), {}, "grow", part_of=(2, 5)).progress(30, 40)
    assert received == [("grow", 2.75, 5)]


def test_all_listeners_receive_it(store: Store) -> None:
    received: list[str] = []
    run = Run(store, listeners=(lambda *_: received.append("one"), lambda *_: received.append("other")))
    grow(run, CAPTURE, Settings())
    assert received == ["one", "other"] * 2


def test_the_body_is_told_its_device(run: Run) -> None:
    result = recipe(replace(run, device="cuda:1"))
    with run.store.open(result) as file:
        assert file.attrs["device"] == "cuda:1"


def test_the_line_of_a_product_is_kept(run: Run) -> None:
    result = recipe(run)
    entries = {e.product: e for e in run.store.entries()}
    assert {e.capture for e in entries.values()} == {"jupiter.ser"}
    assert all(i in entries for i in entries[result].inputs)
    assert run.store.recipe(result)["version"] == "1"
    assert 0 < run.store.seconds(result) < 600


def test_a_performer_decides_when(run: Run) -> None:
    seen: list[tuple[str, int]] = []

    def twice(work: Work, retries: int, make: object) -> None:
        seen.append((work.label, retries))
        assert callable(make)
        make()
        make()

    grow(replace(run, performer=twice), CAPTURE, Settings())
    assert seen == [("grow", 2)]
    assert MADE == ["grow"], "made once, however often it is asked for"


def test_arrays_do_not_travel(run: Run) -> None:
    with pytest.raises(TypeError, match="not ndarray"):
        add_up(run, np.zeros(3))  # type: ignore[arg-type]


def test_two_who_want_one_product_make_it_once(run: Run) -> None:
    """The second waits for the first, and finds it done."""
    begun, go_on = threading.Event(), threading.Event()

    @step(version="1")
    def slow(work: Work, settings: Settings) -> None:
        MADE.append(work.label)
        begun.set()
        assert go_on.wait(600)
        work.save(Number(1.0))

    both = [threading.Thread(target=slow, args=(run, Settings())) for _ in range(2)]
    both[0].start()
    assert begun.wait(600)
    both[1].start()
    go_on.set()
    for each in both:
        each.join(600)
    assert MADE == ["slow"]
    assert list((run.store.root / "claims").iterdir()) == []
