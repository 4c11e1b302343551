"""What people are shown: pictures that are cut to the target, and a row of figures for every round."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.reporting.round_summary import before_and_after, round_picture, rounds_so_far


def _opened(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as opened:
        return np.asarray(opened).astype(float)


def test_one_row_per_round(planet: Any) -> None:
    first, last = planet.rounds[0][1], planet.sky
    rows = rounds_so_far(planet.store, last, planet.config.telescope)
    assert [row["round"] for row in rows] == [1, 2]
    assert [row["frames"] for row in rows] == [len(planet.read(p, "frames")) for p in (first, last)]
    finest = 2 * planet.config.telescope.scale_arcsec  # the pixels hold no more
    assert all(row["seconds"] > 0 and row["resolved detail, arcsec"] >= finest for row in rows)
    assert all(0.5 < row["misfit / noise"] < 20 for row in rows)
    assert rows[0]["D/r0"] == pytest.approx(4.0, rel=0.4)
    assert rounds_so_far(planet.store, first, planet.config.telescope) == rows[:1]


def test_the_picture_of_a_round_is_its_sky(planet: Any) -> None:
    picture = _opened(round_picture(planet.store, planet.sky, "linear"))
    sky = planet.read(planet.sky, "sky")[0]
    scale = len(picture) // len(sky)
    assert np.corrcoef(picture[::scale, ::scale].ravel(), sky.ravel())[0, 1] > 0.99


def test_before_and_after_are_stack_and_what_is_published(planet: Any) -> None:
    small = before_and_after(planet.store, planet.result)
    shown = {name: _opened(getattr(small, name)) for name in ("before", "after")}
    assert 1.1 < small.sharpness_gain < 10
    assert small.width_px == planet.read(planet.result, "stack").shape[-1]
    for name, array in (("before", "stack"), ("after", "published")):
        wanted = planet.read(planet.result, array)[0]
        scale = len(shown[name]) // len(wanted)
        assert np.corrcoef(shown[name][::scale, ::scale].ravel(), wanted.ravel())[0, 1] > 0.95


def test_colour_stays_colour(coloured: Any) -> None:
    shown = before_and_after(coloured.store, coloured.result)
    assert all(_opened(png).shape[2] == 3 for png in (shown.before, shown.after))
    after = _opened(shown.after)
    assert after[..., 0].mean() > after[..., 2].mean(), "red is brighter than blue"
    balanced = _opened(before_and_after(coloured.store, coloured.result, "grey-world").after)
    assert abs(balanced[..., 0].mean() - balanced[..., 2].mean()) < abs(after[..., 0].mean() - after[..., 2].mean())
