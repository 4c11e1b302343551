"""The lineage of a product: complete, each product once, inputs first."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from storage.errors import StoreError
from storage.lineage import lineage, ordered
from storage.product import Product
from storage.store import Store


def product(name: str) -> Product:
    return Product(name, name * 32)


FRAMES, MEAN, SHIFTS, SKY, OTHER = (product(letter) for letter in "fmsyo")
INPUTS: Mapping[Product, Sequence[Product]] = {
    FRAMES: [], MEAN: [FRAMES], SHIFTS: [FRAMES, MEAN], SKY: [FRAMES, SHIFTS], OTHER: [MEAN],
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    for each, inputs in INPUTS.items():
        with store.create(each, {"inputs": [[p.step, p.key] for p in inputs]}):
            pass
    return store


def test_inputs_come_first_and_each_product_once(store: Store) -> None:
    assert lineage(store, SKY) == [FRAMES, MEAN, SHIFTS, SKY]
    assert lineage(store, FRAMES) == [FRAMES]


def test_a_missing_input_is_told(store: Store) -> None:
    store.remove(MEAN)
    with pytest.raises(StoreError, match="is not in the store"):
        lineage(store, SKY)


def test_of_several_products() -> None:
    assert ordered([OTHER, SKY], lambda p: INPUTS[p]) == [FRAMES, MEAN, OTHER, SHIFTS, SKY]


def test_a_long_or_circular_line_ends() -> None:
    chain = [Product("step", f"{number:032d}") for number in range(5000)]
    following = dict(zip(chain[1:], chain, strict=False))
    assert ordered([chain[-1]], lambda p: [following[p]] if p in following else []) == chain
    assert set(ordered([SKY], lambda p: [MEAN if p == SKY else SKY])) == {SKY, MEAN}
