"""@step: the key of a product follows from version, settings, inputs and capture, and from nothing else."""

from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from storage.captures.capture import Capture
from storage.product import Product
from tasks.running.step import Run, Work, step
from tests.tasks.running.toy_steps import CAPTURE, MADE, Number, Settings, add_up, grow, recipe, value


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


def test_device_and_round_are_no_part_of_the_name(run: Run) -> None:
    plain = recipe(run)
    assert recipe(replace(run, plan=[], device="cuda").in_round(3)) == plain


def test_any_model_is_settings(run: Run) -> None:
    class Plain(BaseModel):
        """A model that says nothing of indifferent fields."""

        block_frames: int = 1

    keys = {grow(run, CAPTURE, Settings(factor=float(n))).key for n in range(3)}
    assert len(keys) == 3
    planning = replace(run, plan=[])
    assert grow(planning, CAPTURE, Plain()) != grow(planning, CAPTURE, Plain(block_frames=2))  # type: ignore[arg-type]
