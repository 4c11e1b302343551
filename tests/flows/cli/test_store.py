"""store ls, show, rm, prune: what the user reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from configs.load import load_config
from flows.cli.store import list_products, listed, prune, rm, show, shown
from storage.captures.capture import capture_at
from storage.captures.readers.ser import write_ser
from storage.errors import StoreError
from storage.product import Product
from storage.store import Store
from tasks.ingest import ingest
from tasks.running.step import Run

FRAMES, RESULT, ORPHAN = Product("ingest", "ab" * 16), Product("evaluate", "cd" * 16), Product("average", "ef" * 16)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store = Store(tmp_path / "store")
    for product, inputs in ((FRAMES, []), (RESULT, [["ingest", FRAMES.key]]), (ORPHAN, [])):
        with store.create(product, {"inputs": inputs, "capture": "mars.ser", "version": "1"}) as file:
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


def test_show_tells_the_settings_a_step_was_given(root: Path, tmp_path: Path) -> None:
    write_ser(tmp_path / "a.ser", np.random.default_rng(1).integers(20, 250, (6, 16, 16)).astype(np.uint8), 8)
    product = ingest(
        Run(Store(root)), capture_at(tmp_path / "a.ser"), load_config(overrides=["ingest.black_share=0.3"]).ingest
    )
    told = show(root, product.key)
    assert told["settings"]["settings.black_share"] == 0.3
    assert told["settings"]["capture.calibration"] == ["", ""]
    assert "  settings.black_share: 0.3" in shown(root, product.key)


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


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    (line,) = listed(tmp_path / "store")
    assert line == f"the store {tmp_path / 'store'} is empty"


def test_captures_of_one_name_are_told_apart(root: Path) -> None:
    store = Store(root)
    for letter in "12":
        frames, mean = Product("ingest", letter * 32), Product("average", letter * 32)
        told = {"arguments": {"capture": {"fingerprint": letter * 64, "calibration": ["", ""]}}, "capture": "mars.ser"}
        for product, recipe in ((frames, told), (mean, {"inputs": [["ingest", frames.key]], "capture": "mars.ser"})):
            with store.create(product, recipe) as file:
                file["sky"] = np.zeros(1)
    lines = [line for line in listed(root) if "mars.ser 1111" in line or "mars.ser 2222" in line]
    assert [line.split()[1] for line in lines] == ["ingest", "average"] * 2
    assert lines[0].endswith("mars.ser 11111111")
    assert next(line for line in listed(root) if FRAMES.key[:12] in line).endswith("mars.ser"), "nothing is known of it"
