"""@step: a call gives its product, and makes it only when it is not there."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel

from configs.schema import Section
from storage.captures.capture import Capture
from storage.declared import Content, Value
from storage.errors import BadCapture
from storage.product import Product
from storage.store import Store
from tasks.running.step import Run, Work, step

MADE: list[str] = []
"""Labels of the steps whose bodies ran."""
CAPTURE = Capture(Path("/night/jupiter.ser"), "f" * 64)


@dataclass(frozen=True)
class Number(Content):
    """What every toy step leaves."""

    value: Annotated[float, Value("", "A number.")]
    device: Annotated[str, Value("", "Where it was made.")] = ""


@dataclass(frozen=True)
class Grown(Number):
    """The product of the first step."""

    step: ClassVar[str] = "grow"


class Settings(Section):
    """Settings of a toy step."""

    indifferent: ClassVar[tuple[str, ...]] = ("block_frames",)
    factor: float = 2.0
    block_frames: int = 32


@step(version="1", retries=2)
def grow(work: Work, capture: Capture, settings: Settings) -> None:
    """Write the factor."""
    MADE.append(work.label)
    work.progress(1, 2)
    work.save(Number(settings.factor))


@step(version="1")
def add_up(work: Work, *inputs: Product) -> None:
    """Sum the inputs, each in a part of its own."""
    MADE.append(work.label)
    total = 0.0
    for number, product in enumerate(inputs):
        with work.open(Grown, product) as source, work.part(f"input{number}", Number, lambda s=source: s) as part:
            total += part.value
    work.save(Number(total, work.device))


@pytest.fixture(autouse=True)
def _nothing_made() -> Iterator[None]:
    MADE.clear()
    yield
    MADE.clear()


@pytest.fixture
def run(store: Store) -> Run:
    """A run that makes what is missing."""
    return Run(store)


def recipe(run: Run, factor: float = 2.0) -> Product:
    first = grow(run, CAPTURE, Settings(factor=factor))
    second = grow(run, CAPTURE, Settings(factor=3.0))
    return add_up(run, first, second)


def planned(run: Run, factor: float = 2.0) -> list[Product]:
    """What the recipe would make."""
    plan: list[Product] = []
    recipe(replace(run, plan=plan), factor)
    return plan


def value(store: Store, product: Product) -> float:
    with store.open(product) as file:
        return float(file.attrs["value"])


def test_a_recipe_runs_once(run: Run) -> None:
    result = recipe(run)
    assert MADE == ["grow", "grow", "add up"]
    assert value(run.store, result) == 5.0
    assert recipe(run) == result
    assert len(MADE) == 3


def test_a_changed_setting_renews_what_hangs_on_it(run: Run) -> None:
    before = recipe(run)
    MADE.clear()
    after = recipe(run, factor=7.0)
    assert MADE == ["grow", "add up"], "the other branch stays"
    assert after != before
    assert value(run.store, after) == 10.0
    assert run.store.has(before), "what was made before is still there"


def test_settings_that_change_no_result_change_no_key(run: Run) -> None:
    one, two = (grow(run, CAPTURE, Settings(block_frames=n)) for n in (1, 512))
    assert one == two
    assert MADE == ["grow"]


def test_a_capture_is_its_content(run: Run) -> None:
    moved = Capture(Path("/elsewhere/renamed.ser"), CAPTURE.fingerprint)
    other = Capture(CAPTURE.path, "0" * 64)
    assert grow(run, CAPTURE, Settings()) == grow(run, moved, Settings())
    assert grow(run, CAPTURE, Settings()) != grow(run, other, Settings())


def test_the_version_is_part_of_the_name(run: Run) -> None:
    newer = step(version="2")(grow.body)
    assert newer(run, CAPTURE, Settings()) != grow(run, CAPTURE, Settings())


def test_keywords_and_positions_are_the_same_call(run: Run) -> None:
    assert grow(run, CAPTURE, settings=Settings()) == grow(run, CAPTURE, Settings())


def test_swapped_keywords_are_another_call(run: Run) -> None:
    @step(version="1")
    def subtract(work: Work, start: Product, less: Product) -> None:
        """Name two inputs."""

    one, two = grow(run, CAPTURE, Settings()), grow(run, CAPTURE, Settings(factor=3))
    planning = replace(run, plan=[])
    assert subtract(planning, start=one, less=two) == subtract(planning, less=two, start=one)
    assert subtract(planning, start=one, less=two) != subtract(planning, less=one, start=two)


def test_keywords_in_another_order_are_the_same_call(run: Run) -> None:
    assert grow(run, settings=Settings(), capture=CAPTURE) == grow(run, CAPTURE, Settings())


def test_the_order_of_inputs_matters(run: Run) -> None:
    one, two = grow(run, CAPTURE, Settings()), grow(run, CAPTURE, Settings(factor=3))
    assert add_up(run, one, two) != add_up(run, two, one)


def test_which_argument_an_input_fills_matters(run: Run) -> None:
    """A product given for one optional argument is not the same work as the same product given for the other."""

    @step(version="1")
    def choose(work: Work, first: Product | None, second: Product | None, third: Product) -> None:
        """Write which came."""
        work.save(Number(float(first is not None)))

    one = grow(run, CAPTURE, Settings())
    assert choose(run, one, None, one) != choose(run, None, one, one)


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


def test_device_and_round_are_no_part_of_the_name(run: Run) -> None:
    plain = recipe(run)
    assert recipe(replace(run, plan=[], device="cuda").in_round(3)) == plain


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
    assert 0 < run.store.seconds(result) < 60


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


def test_any_model_is_settings(run: Run) -> None:
    class Plain(BaseModel):
        """A model that says nothing of indifferent fields."""

        block_frames: int = 1

    keys = {grow(run, CAPTURE, Settings(factor=float(n))).key for n in range(3)}
    assert len(keys) == 3
    planning = replace(run, plan=[])
    assert grow(planning, CAPTURE, Plain()) != grow(planning, CAPTURE, Plain(block_frames=2))  # type: ignore[arg-type]


def test_two_who_want_one_product_make_it_once(run: Run) -> None:
    """The second waits for the first, and finds it done."""
    begun, go_on = threading.Event(), threading.Event()

    @step(version="1")
    def slow(work: Work, settings: Settings) -> None:
        MADE.append(work.label)
        begun.set()
        assert go_on.wait(30)
        work.save(Number(1.0))

    both = [threading.Thread(target=slow, args=(run, Settings())) for _ in range(2)]
    both[0].start()
    assert begun.wait(30)
    both[1].start()
    go_on.set()
    for each in both:
        each.join(30)
    assert MADE == ["slow"]
    assert list((run.store.root / "claims").iterdir()) == []
