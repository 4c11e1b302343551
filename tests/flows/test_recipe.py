"""The recipe: which products it makes, in which order, and that planning makes none."""

from pathlib import Path

from configs.load import load_config
from flows.recipe import planned_products
from storage.captures.capture import Capture
from storage.store import Store

CAPTURE = Capture(Path("/night/jupiter.ser"), "f" * 64)


def test_plan_follows_the_recipe_and_makes_nothing(store: Store) -> None:
    line = planned_products(store, CAPTURE, load_config())
    first = ["ingest", "average", "calibrate", "align", "shift_average", "measure_seeing"]
    assert [p.step for p in line] == [*first, *["solve_psfs", "solve_sky"] * 2, "evaluate", "enhance"]
    assert len(set(line)) == len(line)
    assert list(store.root.iterdir()) == []


def test_same_content_is_the_same_line_wherever_the_file_is(store: Store) -> None:
    config = load_config()
    moved = Capture(Path("/archive/renamed.ser"), CAPTURE.fingerprint)
    other = Capture(CAPTURE.path, "e" * 64)
    dark = Capture(CAPTURE.path, CAPTURE.fingerprint, Path("/dark.fits"), None, ("d" * 64, ""))
    assert planned_products(store, moved, config) == planned_products(store, CAPTURE, config)
    for changed in (other, dark):
        assert not set(planned_products(store, changed, config)) & set(planned_products(store, CAPTURE, config))


def test_one_round_is_two_steps_less(store: Store) -> None:
    config = load_config()
    short = config.model_copy(update={"rounds": config.rounds[:1]})
    assert [p.step for p in planned_products(store, CAPTURE, short)].count("solve_sky") == 1
    assert planned_products(store, CAPTURE, short)[:7] == planned_products(store, CAPTURE, config)[:7]
