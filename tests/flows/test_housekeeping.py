"""store ls, show, rm, prune: what the user reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.housekeeping import list_products, prune, rm, show, shown
from storage.errors import StoreError
from storage.product import Product
from storage.store import Store

FRAMES, RESULT, ORPHAN = Product("ingest", "ab" * 16), Product("evaluate", "cd" * 16), Product("average", "ef" * 16)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store = Store(tmp_path / "store")
    for product, inputs in ((FRAMES, []), (RESULT, [["ingest", FRAMES.key]]), (ORPHAN, [])):
        with store.create(product, {"inputs": inputs, "capture": "mars.ser", "version": "1", "settings": []}) as file:
            file["sky"] = np.zeros((1, 4, 5), np.float32)
            file.attrs["report"] = json.dumps({"channels": [1]})
    return store.root


def test_list_marks_what_no_result_needs(root: Path) -> None:
    rows = {row.step: row for row in list_products(root)}
    assert {step: row.needed for step, row in rows.items()} == {"ingest": True, "evaluate": True, "average": False}
    assert rows["average"].line.startswith("- average")
    assert "mars.ser" in rows["ingest"].line


def test_show_unfolds_a_product(root: Path) -> None:
    told = show(root, "cdcd")
    assert told["datasets"] == {"sky": "(1, 4, 5) float32"}
    assert told["attributes"]["report"] == {"channels": [1]}
    assert f"  ingest/{FRAMES.key}" in shown(root, "cdcd")


def test_prune_says_what_it_frees(root: Path) -> None:
    assert prune(root, None, None, False, True)[-1].startswith("would free 0 B (0 products)")
    lines = prune(root, 0, "0", False, False)
    assert lines[0].startswith("average/efef")
    assert lines[-1].startswith("freed")
    assert {row.step for row in list_products(root)} == {"ingest", "evaluate"}


def test_rm_forgets_a_capture(root: Path) -> None:
    assert len(rm(root, ("mars.ser",))) == 3
    assert list_products(root) == []


def test_store_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(StoreError, match="--store"):
        list_products(tmp_path / "x")
