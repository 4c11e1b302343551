"""A product's name is a function of what makes it, and of nothing else."""

import subprocess
import sys

import pytest

from storage.product import Product, product_of

RECIPE = {
    "version": "1",
    "inputs": [["ingest", "ab"], ["average", "cd"]],
    "captures": [],
    "settings": [{"a": 1, "b": 0.1}],
}


def test_the_key_is_the_same_on_any_day() -> None:
    """A changed key scheme would silently abandon every store: change this number knowingly."""
    assert product_of("align", RECIPE) == Product("align", "252dedf3bb1184a59d48f30508b807a8")


def test_the_key_is_the_same_in_another_process() -> None:
    code = f"from storage.product import product_of; print(product_of('align', {RECIPE!r}).key)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert told.stdout.strip() == product_of("align", RECIPE).key


def test_the_order_of_settings_does_not_matter() -> None:
    turned = {"settings": [{"b": 0.1, "a": 1}], "captures": [], "inputs": RECIPE["inputs"], "version": "1"}
    assert product_of("align", turned) == product_of("align", RECIPE)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"},
        {"inputs": [["average", "cd"], ["ingest", "ab"]]},
        {"inputs": [["ingest", "ab"]]},
        {"settings": [{"a": 1, "b": 0.10001}]},
        {"settings": [{"a": True, "b": 0.1}]},
        {"captures": [{"fingerprint": "x"}]},
    ],
)
def test_whatever_changes_the_result_changes_the_key(change: dict[str, object]) -> None:
    assert product_of("align", {**RECIPE, **change}) != product_of("align", RECIPE)


def test_steps_do_not_share_keys() -> None:
    assert product_of("average", RECIPE).key != product_of("align", RECIPE).key


def test_a_number_that_is_none_has_no_key() -> None:
    with pytest.raises(ValueError, match="JSON"):
        product_of("align", {"settings": [float("nan")]})


def test_a_product_reads_like_a_path() -> None:
    assert str(Product("align", "0123456789abcdef")) == "align/0123456789ab"
