"""Pruning and removing: what a result was made from is safe until somebody says otherwise."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.load import BadConfig
from configs.store import StoreSettings
from storage.errors import Hopeless
from storage.housekeeping import contents, find, human_bytes, parse_bytes, prune, remove, retain
from storage.product import Product, product_of
from storage.store import Store


def put(store: Store, step: str, name: str, inputs: list[Product], days: float, capture: str = "a.ser") -> Product:
    """A product made `days` ago."""
    arguments = {"settings": {"name": name}, "sky": [[p.step, p.key] for p in inputs]}
    recipe: dict[str, Any] = {"version": "1", "inputs": [[p.step, p.key] for p in inputs], "arguments": arguments}
    product = product_of(step, recipe)
    with store.create(product, {**recipe, "capture": capture}) as file:
        file["data"] = np.zeros(20_000, np.uint8)
    then = time.time() - days * 86400
    os.utime(store.path(product), (then, then))
    return product


@pytest.fixture
def night(tmp_path: Path) -> tuple[Store, dict[str, Product]]:
    """Two results that share their frames, an orphan of old, and a young one that a run may be working on."""
    store = Store(tmp_path)
    made: dict[str, Product] = {}
    made["frames"] = put(store, "ingest", "f", [], 30)
    made["orphan"] = put(store, "solve_sky", "o", [made["frames"]], 25)
    made["sky1"] = put(store, "solve_sky", "1", [made["frames"]], 20)
    made["result1"] = put(store, "evaluate", "1", [made["sky1"], made["frames"]], 19)
    made["sky2"] = put(store, "solve_sky", "2", [made["frames"]], 10)
    made["result2"] = put(store, "evaluate", "2", [made["sky2"]], 9)
    made["young"] = put(store, "average", "y", [], 0.01, "b.ser")
    return store, made


Night = tuple[Store, dict[str, Product]]


def left(night: Night) -> set[str]:
    store, made = night
    return {name for name, product in made.items() if store.has(product)}


def test_only_old_orphans_go(night: Night) -> None:
    done = prune(night[0])
    assert left(night) == {"frames", "sky1", "result1", "sky2", "result2", "young"}
    assert done.freed_bytes == sum(e.bytes for e in done.removed) > 20_000
    assert done.kept_bytes == sum(e.bytes for e in night[0].entries())


def test_dry_run_says_the_same_and_removes_nothing(night: Night) -> None:
    before = left(night)
    told = prune(night[0], older_than_days=0, keep_bytes=0, with_results=True, dry_run=True)
    assert left(night) == before
    done = prune(night[0], older_than_days=0, keep_bytes=0, with_results=True)
    assert [e.product for e in told.removed] == [e.product for e in done.removed]
    assert left(night) == set()
    assert told.kept_bytes == done.kept_bytes == 0


def test_results_stay_however_little_may_be_kept(night: Night) -> None:
    prune(night[0], older_than_days=0, keep_bytes=0)
    assert left(night) == {"frames", "sky1", "result1", "sky2", "result2"}


def test_oldest_result_goes_first_with_what_only_it_needs(night: Night) -> None:
    prune(night[0], older_than_days=15, with_results=True)
    assert left(night) == {"frames", "sky2", "result2", "young"}


def test_no_more_goes_than_must(night: Night) -> None:
    total = sum(e.bytes for e in night[0].entries())
    prune(night[0], keep_bytes=total)
    assert "orphan" in left(night)
    prune(night[0], keep_bytes=total - 1, with_results=True)
    assert left(night) == {"frames", "sky1", "result1", "sky2", "result2", "young"}


def test_every_result_at_once_is_refused(night: Night) -> None:
    with pytest.raises(BadConfig, match="--older-than or --keep"):
        prune(night[0], with_results=True)


def test_orphans_of_a_run_that_goes_on_are_spared(night: Night) -> None:
    store, _ = night
    product = put(store, "average", "this morning", [], 0.3)
    parts = store.parts(Product("solve_psfs", "0" * 32))
    parts.mkdir(parents=True)
    (parts / "00000.h5").write_text("")
    prune(store)
    assert store.has(product)
    assert parts.exists()
    os.utime(parts / "00000.h5", (0, 0))
    os.utime(parts, (0, 0))
    assert prune(store).parts == 1
    assert not store.has(product)
    assert not parts.exists()


def test_parts_of_a_whole_product_go(night: Night) -> None:
    store, made = night
    store.parts(made["sky1"]).mkdir()
    assert prune(store).parts == 1
    assert store.has(made["sky1"])


def test_removing_what_a_result_needs_wants_force(night: Night) -> None:
    store, made = night
    with pytest.raises(Hopeless, match=r"is needed by the result evaluate/.*--force"):
        remove(store, [made["frames"].key[:8]])
    assert "frames" in left(night)
    remove(store, [str(made["result1"])])
    remove(store, [made["sky1"].key])
    assert left(night) == {"frames", "orphan", "sky2", "result2", "young"}
    remove(store, [made["frames"].key], force=True)
    assert "frames" not in left(night)


def test_a_capture_goes_with_all_its_results(night: Night) -> None:
    assert len(remove(night[0], ["a.ser"])) == 6
    assert left(night) == {"young"}


def test_key_must_be_known_and_enough(night: Night) -> None:
    store, made = night
    with pytest.raises(Hopeless, match="no product and no capture"):
        find(store, "zzzz")
    with pytest.raises(Hopeless, match="no product and no capture"):
        find(store, f"ingest/{made['sky1'].key}")
    for number in "12":
        with store.create(Product("average", f"abc{number}" * 8), {"inputs": []}):
            pass
    with pytest.raises(Hopeless, match="give more of the key"):
        find(store, "abc")
    assert find(store, made["sky1"].key[:10]).product == made["sky1"]


def test_contents_tell_recipe_and_datasets(night: Night) -> None:
    store, made = night
    told = contents(store, find(store, str(made["sky1"])))
    assert told["datasets"] == {"data": "(20000,) uint8"}
    assert told["inputs"] == [f"ingest/{made['frames'].key}"]
    assert told["settings"] == {"settings.name": "1"}
    assert told["attributes"]["stillsky_complete"] is True


@pytest.mark.parametrize(
    ("keep", "lost"),
    [
        ({}, set()),
        ({"keep_days": 15}, {"orphan", "sky1", "result1"}),
        ({"keep_days": 1}, {"frames", "orphan", "sky1", "result1", "sky2", "result2"}),
        ({"keep_nights": 2}, set()),
        ({"keep_nights": 1}, {"orphan", "sky1", "result1"}),
        ({"keep_gb": 1.0}, set()),
        ({"keep_gb": 0.000_12}, {"orphan", "sky1", "result1"}),
    ],
)
def test_what_a_night_leaves_in_the_store(night: Night, keep: dict[str, Any], lost: set[str]) -> None:
    """Results of old nights go with what only they need; what a later result was made from stays."""
    retain(night[0], StoreSettings(**({"keep_days": 0, "keep_gb": 0, "keep_nights": 0} | keep)))
    assert set(night[1]) - left(night) == lost


def test_sizes_are_read_and_said() -> None:
    assert parse_bytes("20GB") == 20_000_000_000
    assert parse_bytes("1.5 m") == 1_500_000
    assert parse_bytes("12") == 12
    with pytest.raises(BadConfig, match="20GB"):
        parse_bytes("much")
    assert [human_bytes(n) for n in (12, 1234, 123456, 2.5e9)] == ["12 B", "1.2 kB", "123 kB", "2.5 GB"]


def test_prefects_records_go_with_their_products(night: Night) -> None:
    store, made = night
    records = store.root / "prefect" / "storage"
    records.mkdir(parents=True)
    for name in ("orphan", "result2"):
        (records / f"{made[name].step}-{made[name].key}-0123abcd").write_text("{}")
    (records / "of-somebody").write_text("else")
    prune(store, 24)
    assert sorted(p.name for p in records.iterdir()) == [f"evaluate-{made['result2'].key}-0123abcd", "of-somebody"]
