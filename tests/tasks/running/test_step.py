"""@step: a call gives its product, and makes it only when it is not there."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pydantic import BaseModel

from configs.schema import Section
from storage.captures.capture import Capture
from storage.errors import BadCapture
from storage.product import Product
from storage.store import Store
from tasks.running.step import Work, in_round, on_device, performed_by, planned, step, watched

MADE: list[str] = []
"""Labels of the steps whose bodies ran."""
CAPTURE = Capture(Path("/night/jupiter.ser"), "f" * 64)


class Settings(Section):
    """Settings of a toy step."""

    indifferent: ClassVar[tuple[str, ...]] = ("block_frames",)
    factor: float = 2.0
    block_frames: int = 32


@step(version="1", retries=2)
def grow(work: Work, capture: Capture, settings: Settings) -> None:
    """Write the factor."""
    MADE.append(work.label)
    with work.create() as file:
        file["value"] = settings.factor
        work.progress(1, 2)


@step(version="1")
def add_up(work: Work, *inputs: Product) -> None:
    """Sum the inputs, each in a part of its own."""
    MADE.append(work.label)
    with work.create() as file:
        total = 0.0
        for number, product in enumerate(inputs):
            with work.open(product) as source:
                value = source["value"][()]
            with work.part(number, lambda part, value=value: part.update({"value": value})) as part:
                total += part["value"][()]
        file["value"] = total
        file.attrs["device"] = work.device


@pytest.fixture(autouse=True)
def _nothing_made() -> Iterator[None]:
    MADE.clear()
    yield
    MADE.clear()


def recipe(store: Store, factor: float = 2.0) -> Product:
    first = grow(store, CAPTURE, Settings(factor=factor))
    second = grow(store, CAPTURE, Settings(factor=3.0))
    return add_up(store, first, second)


def value(store: Store, product: Product) -> float:
    with store.open(product) as file:
        return float(file["value"][()])


def test_a_recipe_runs_once(store: Store) -> None:
    result = recipe(store)
    assert MADE == ["grow", "grow", "add up"]
    assert value(store, result) == 5.0
    assert recipe(store) == result
    assert len(MADE) == 3


def test_a_changed_setting_renews_what_hangs_on_it(store: Store) -> None:
    before = recipe(store)
    MADE.clear()
    after = recipe(store, factor=7.0)
    assert MADE == ["grow", "add up"], "the other branch stays"
    assert after != before
    assert value(store, after) == 10.0
    assert store.has(before), "what was made before is still there"


def test_settings_that_change_no_result_change_no_key(store: Store) -> None:
    one, two = (grow(store, CAPTURE, Settings(block_frames=n)) for n in (1, 512))
    assert one == two
    assert MADE == ["grow"]


def test_a_capture_is_its_content(store: Store) -> None:
    moved = Capture(Path("/elsewhere/renamed.ser"), CAPTURE.fingerprint)
    other = Capture(CAPTURE.path, "0" * 64)
    assert grow(store, CAPTURE, Settings()) == grow(store, moved, Settings())
    assert grow(store, CAPTURE, Settings()) != grow(store, other, Settings())


def test_the_version_is_part_of_the_name(store: Store) -> None:
    newer = step(version="2")(grow.body)
    assert newer(store, CAPTURE, Settings()) != grow(store, CAPTURE, Settings())


def test_keywords_and_positions_are_the_same_call(store: Store) -> None:
    assert grow(store, CAPTURE, settings=Settings()) == grow(store, CAPTURE, Settings())


def test_swapped_keywords_are_another_call(store: Store) -> None:
    @step(version="1")
    def subtract(work: Work, start: Product, less: Product) -> None:
        """Name two inputs."""

    one, two = grow(store, CAPTURE, Settings()), grow(store, CAPTURE, Settings(factor=3))
    with planned():
        assert subtract(store, start=one, less=two) == subtract(store, less=two, start=one)
        assert subtract(store, start=one, less=two) != subtract(store, less=one, start=two)


def test_keywords_in_another_order_are_the_same_call(store: Store) -> None:
    assert grow(store, settings=Settings(), capture=CAPTURE) == grow(store, CAPTURE, Settings())


def test_the_order_of_inputs_matters(store: Store) -> None:
    one, two = grow(store, CAPTURE, Settings()), grow(store, CAPTURE, Settings(factor=3))
    assert add_up(store, one, two) != add_up(store, two, one)


def test_which_argument_an_input_fills_matters(store: Store) -> None:
    """A product given for one optional argument is not the same work as the same product given for the other."""

    @step(version="1")
    def choose(work: Work, first: Product | None, second: Product | None, third: Product) -> None:
        """Write which came."""
        with work.create() as file:
            file["value"] = float(first is not None)

    one = grow(store, CAPTURE, Settings())
    assert choose(store, one, None, one) != choose(store, None, one, one)


def test_planning_makes_nothing(store: Store) -> None:
    with planned() as products:
        result = recipe(store)
    assert (MADE, store.entries()) == ([], [])
    assert products[-1] == result
    assert recipe(store) == result
    assert {e.product for e in store.entries()} == set(products)


def test_a_deleted_product_is_made_again_alone(store: Store) -> None:
    with planned() as products:
        result = recipe(store)
    recipe(store)
    MADE.clear()
    store.remove(products[0])
    assert recipe(store) == result
    assert MADE == ["grow"]


def test_a_step_that_fails_leaves_nothing_and_is_tried_again(store: Store) -> None:
    tries: list[int] = []

    @step(version="1")
    def stumble(work: Work, capture: Capture) -> None:
        """Fail the first time."""
        tries.append(1)
        with work.create() as file:
            file["value"] = 1.0
            if len(tries) == 1:
                raise BadCapture("no light")

    with pytest.raises(BadCapture, match="no light"):
        stumble(store, CAPTURE)
    assert store.entries() == []
    assert store.has(stumble(store, CAPTURE))
    assert len(tries) == 2


def test_parts_of_a_failed_step_are_kept(store: Store) -> None:
    parts: list[int] = []

    @step(version="1")
    def long(work: Work, capture: Capture) -> None:
        """Three parts; the first run stops after two."""
        with work.create() as file:
            for number in range(3):
                if number == 2 and len(parts) == 2 and not file.attrs.get("seen"):
                    parts.append(-1)
                    raise KeyboardInterrupt
                with work.part(number, lambda part, n=number: parts.append(n)):
                    pass

    with pytest.raises(KeyboardInterrupt):
        long(store, CAPTURE)
    long(store, CAPTURE)
    assert parts == [0, 1, -1, 2]


def test_progress_is_told_to_who_watches(store: Store) -> None:
    told: list[tuple[str, int, int]] = []
    with watched(lambda *news: told.append(news)), in_round(2):
        grow(store, CAPTURE, Settings())
    assert told == [("grow round 2", 1, 2), ("grow round 2", 1, 1)]
    grow(store, CAPTURE, Settings(factor=9))
    assert len(told) == 2, "nobody watches outside the block"


def test_a_part_of_the_work_is_told_as_its_share(store: Store) -> None:
    told: list[tuple[str, float, int]] = []
    work = Work(store, Product("grow", "0"), {}, "grow", among=(2, 5))
    with watched(lambda *news: told.append(news)):
        work.progress(30, 40)
    assert told == [("grow", 2.75, 5)]


def test_all_who_watch_are_told(store: Store) -> None:
    told: list[str] = []
    with watched(lambda *_: told.append("outer")), watched(lambda *_: told.append("inner")):
        grow(store, CAPTURE, Settings())
    assert told == ["outer", "inner"] * 2


def test_device_and_round_are_no_part_of_the_name(store: Store) -> None:
    plain = recipe(store)
    with planned(), on_device("cuda"), in_round(3):
        assert recipe(store) == plain


def test_the_body_is_told_its_device(store: Store) -> None:
    with on_device("cuda:1"):
        result = recipe(store)
    with store.open(result) as file:
        assert file.attrs["device"] == "cuda:1"


def test_the_line_of_a_product_is_kept(store: Store) -> None:
    result = recipe(store)
    entries = {e.product: e for e in store.entries()}
    assert {e.capture for e in entries.values()} == {"jupiter.ser"}
    assert all(i in entries for i in entries[result].inputs)
    with store.open(result) as file:
        assert json.loads(file.attrs["recipe"])["version"] == "1"
        assert 0 < file.attrs["seconds"] < 60


def test_a_performer_decides_when(store: Store) -> None:
    seen: list[tuple[str, int]] = []

    def twice(work: Work, retries: int, make: object) -> None:
        seen.append((work.label, retries))
        assert callable(make)
        make()
        make()

    with performed_by(twice):
        grow(store, CAPTURE, Settings())
    assert seen == [("grow", 2)]
    assert MADE == ["grow"], "made once, however often it is asked for"


def test_arrays_do_not_travel(store: Store) -> None:
    with pytest.raises(TypeError, match="not ndarray"):
        add_up(store, np.zeros(3))  # type: ignore[arg-type]


def test_any_model_is_settings(store: Store) -> None:
    class Plain(BaseModel):
        """A model that says nothing of indifferent fields."""

        block_frames: int = 1

    keys = {grow(store, CAPTURE, Settings(factor=float(n))).key for n in range(3)}
    assert len(keys) == 3
    with planned():
        assert grow(store, CAPTURE, Plain()) != grow(store, CAPTURE, Plain(block_frames=2))  # type: ignore[arg-type]


def test_two_who_want_one_product_make_it_once(store: Store) -> None:
    """The second waits for the first, and finds it done."""
    begun, go_on = threading.Event(), threading.Event()

    @step(version="1")
    def slow(work: Work, settings: Settings) -> None:
        MADE.append(work.label)
        begun.set()
        assert go_on.wait(30)
        with work.create() as file:
            file["value"] = 1

    both = [threading.Thread(target=slow, args=(store, Settings())) for _ in range(2)]
    both[0].start()
    assert begun.wait(30)
    both[1].start()
    go_on.set()
    for each in both:
        each.join(30)
    assert MADE == ["slow"]
    assert list((store.root / "claims").iterdir()) == []
