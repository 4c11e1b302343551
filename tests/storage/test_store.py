"""The store: a product is there and whole, or it is not there; whatever happens in between."""

import json
import os
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from storage.errors import BadCapture, StoreError
from storage.product import Product
from storage.store import Store, clock
from tests.storage.products import OTHER, RECIPE, SKY, Number, files, make


def test_what_is_made_can_be_read(store: Store) -> None:
    assert not store.has(SKY)
    make(store)
    assert store.has(SKY)
    with store.open(SKY) as file:
        np.testing.assert_array_equal(file["sky"][:], np.arange(1000))
        assert json.loads(file.attrs["recipe"]) == RECIPE
    assert files(store) == [f"sky/{SKY.key}.h5"]


def test_a_draft_becomes_a_product_with_its_recipe_and_time(store: Store) -> None:
    with store.draft(SKY, RECIPE, lambda: 2.5) as draft:
        draft.fill(Number(7.0))
        assert not store.has(SKY)
    with store.view(Number, SKY) as found:
        assert found == Number(7.0)
    assert store.recipe(SKY) == RECIPE
    assert store.seconds(SKY) == 2.5


def test_a_product_is_seen_only_as_what_its_step_leaves(store: Store) -> None:
    strange = Product("shifts", "c" * 32)
    with pytest.raises(TypeError, match=r"shifts/cccccccccccc is no Number, which sky leaves"):
        store.view(Number, strange).__enter__()
    make(store)
    with pytest.raises(StoreError, match=r"has no value: it is no Number of this version; delete it and run the same"):
        store.view(Number, SKY).__enter__()


def test_nothing_is_visible_before_the_end(store: Store) -> None:
    with store.create(SKY, RECIPE) as file:
        file["sky"] = np.arange(3)
        assert not store.has(SKY)
        assert store.entries() == []
    assert store.has(SKY)


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), BadCapture("no light"), MemoryError()])
def test_an_exception_inside_leaves_nothing(store: Store, error: BaseException) -> None:
    def fail() -> None:
        with store.create(SKY, RECIPE) as file:
            file["sky"] = np.arange(3)
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    assert files(store) == []


def test_what_goes_wrong_with_the_capture_is_not_blamed_on_the_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), store.create(SKY, RECIPE):
        (tmp_path / "capture.ser").open()
    assert files(store) == []


def test_a_failed_remake_leaves_the_old_product(store: Store) -> None:
    make(store)
    with pytest.raises(ValueError, match="bad"), store.create(SKY, RECIPE):
        raise ValueError("bad")
    assert store.has(SKY)


def test_a_product_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(StoreError, match=r"sky/aaaaaaaaaaaa is not in the store .*run the same command again"):
        store.open(SKY).__enter__()


def test_entries_tell_what_is_there(store: Store) -> None:
    make(store)
    make(store, OTHER)
    os.utime(store.path(SKY), (2e9, 2e9))
    older, newer = store.entries()
    assert (older.product, newer.product) == (OTHER, SKY), "oldest first"
    assert newer.capture == "jupiter.ser"
    assert newer.inputs == (Product("shifts", "c" * 32),)
    assert newer.bytes == store.path(SKY).stat().st_size
    assert newer.made.year == 2033


def test_remove_takes_the_product_and_its_parts(store: Store) -> None:
    make(store)
    make(store, OTHER)
    store.part(SKY, "first", Number, lambda: Number(1.0)).__enter__()
    store.remove(SKY)
    store.remove(SKY)
    assert [e.product for e in store.entries()] == [OTHER]
    assert files(store) == [f"sky/{OTHER.key}.h5"]


def test_free_space_is_that_of_the_disk(store: Store) -> None:
    assert 0 < store.free_bytes() < 1e18


def test_the_clock_runs_forward() -> None:
    elapsed = clock()
    assert 0 <= elapsed() <= elapsed() < 600


def test_a_step_may_leave_what_another_one_leaves(store: Store) -> None:
    class Either(Number):
        also_from: ClassVar[tuple[str, ...]] = ("known",)

    for product in (SKY, Product("known", "d" * 32)):
        with store.draft(product, RECIPE, lambda: 0.0) as draft:
            draft.fill(Either(1.0))
        with store.view(Either, product) as found:
            assert found.value == 1.0
    with pytest.raises(TypeError, match="known/dddddddddddd is no Number"):
        store.view(Number, Product("known", "d" * 32)).__enter__()
