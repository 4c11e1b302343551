"""The gate: every family must gain, win and keep its limits."""

from dataclasses import replace

import numpy as np

from tasks.learning.gate import family_row, judge
from tasks.learning.pairs.table import LESSONS

LESSON = replace(LESSONS["enhance"], limits={"light_error": ("largest", 0.01)})


def _figures(gain: float, light: float = 0.0) -> dict[str, np.ndarray]:
    return {"gain": np.full(10, gain), "light_error": np.full(10, light)}


def test_every_family_must_gain() -> None:
    assert judge(LESSON, {"planet": _figures(2.0), "satellite": _figures(1.6)})["passed"]
    failed = judge(LESSON, {"planet": _figures(2.0), "satellite": _figures(1.4)})
    assert not failed["passed"]
    assert failed["failed"] == ["satellite: gain 1.40, 1.5 is asked for"]


def test_few_wins_or_lost_light_fail() -> None:
    figures = _figures(2.0)
    figures["gain"][:3] = -1.0
    assert judge(LESSON, {"moon": figures})["failed"] == [
        "better on 70% of all examples, 90% is asked for",
        "moon: better on 70% of the examples, 72% is asked for",
    ]
    assert judge(LESSON, {"moon": _figures(2.0), "sun": _figures(2.0), "sky": figures})["wins"] == 0.9
    assert "light_error 0.0200" in judge(LESSON, {"moon": _figures(2.0, 0.02)})["failed"][0]


def test_what_is_no_number_does_not_pass() -> None:
    assert not judge(LESSON, {"moon": _figures(2.0, float("nan"))})["passed"]


def test_a_row_tells_the_worst_example() -> None:
    figures = _figures(2.0)
    figures["gain"][3] = -0.5
    row = family_row("sun", figures, False)
    assert (row["gain"], row["wins"], row["worst_gain"], row["trained_on"]) == (2.0, 0.9, -0.5, False)
