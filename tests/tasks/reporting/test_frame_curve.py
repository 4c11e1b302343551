"""The curve over frames: noise falls as one over the number, resolution grows, and a preview says what it is."""

import contextlib
from typing import Any

import numpy as np
import pytest

from storage.product import Product
from tasks.reporting import frame_curve as module
from tasks.reporting.frame_curve import frame_curve, shortened


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store whose sky is of 64 frames; its half-sets agree less at finer frequencies."""

    class Fake:
        @contextlib.contextmanager
        def view(self, kind: Any, product: Product) -> Any:
            yield type("Sky", (), {"sky": np.zeros((1, 8, 8))})()

    monkeypatch.setattr(module, "lineage", lambda store, result: [Product("solve_sky", "a"), result])
    monkeypatch.setattr(module, "count_frames", lambda sky: 64)
    monkeypatch.setattr(module, "half_agreement", lambda sky, c: np.exp(-np.arange(65) / 16.0))
    return Fake()


def test_four_times_the_frames_have_a_quarter_of_the_noise(store: Any) -> None:
    rows = frame_curve(store, Product("evaluate", "b"), 1000)
    assert [row["frames"] for row in rows] == [32, 64, 128, 256, 1000]
    assert rows[1]["noise_db"] == 0
    assert rows[3]["noise_db"] == pytest.approx(-6.02, abs=0.01)
    finest = [row["finest_cpp"] for row in rows]
    assert finest == sorted(finest)
    assert finest[-1] > finest[1] > 0


def test_a_preview_is_named_and_says_what_all_frames_would_bring(store: Any) -> None:
    report = {"frames": {"used": 1010, "held_out": 10}, "verdict": ["The sky is published: good."], "published": "sky"}
    added = shortened(store, Product("evaluate", "b"), report, is_preview=True)
    assert (added["published"], added["content"]) == ("preview", "sky")
    assert "PREVIEW" in added["verdict"][0]
    assert "the 64 luckiest of 1,000 frames" in added["verdict"][2]
    assert "published" not in shortened(store, Product("evaluate", "b"), report, is_preview=False)


def test_all_frames_solved_need_no_sentence(store: Any) -> None:
    report = {"frames": {"used": 64, "held_out": 0}, "verdict": ["x"], "published": "sky"}
    assert shortened(store, Product("evaluate", "b"), report, is_preview=False)["verdict"] == ["x"]
