"""evaluate publishes the sky only where unseen frames prefer it to the stack."""

import json
from typing import Any

import numpy as np
import pytest

from configs.load import load_config
from tasks.evaluate import unexplained
from tasks.reporting.report import describe
from tasks.running.step import Work, step


def judged(filmed: Any, product: Any) -> dict[str, Any]:
    return json.loads(filmed.note(product, "report"))


@step(version="1")
def sabotage(work: Work, sky: Any, first: Any, only: str) -> None:
    """A solve that went wrong: the sky of the last round, its negative where it is judged or turned over where delivered."""
    with work.open(sky) as good, work.create() as file:
        for name in good:
            file[name] = good[name][()]
        if only == "sky":
            file["sky"][...] = good["sky"][:][..., ::-1]
        else:
            file["spectrum"][...] = -good["spectrum"][:]
            file["spectrum"][:, 0, 0] = good["spectrum"][:, 0, 0]


def test_a_good_sky_is_published(planet: Any) -> None:
    result = planet.result
    assert planet.note(result, "published") == "sky"
    np.testing.assert_array_equal(planet.read(result, "sky"), planet.read(planet.sky, "sky"))
    np.testing.assert_array_equal(planet.read(result, "stack"), planet.read(planet.stack, "stack"))
    np.testing.assert_array_equal(planet.read(result, "lucky"), planet.read(planet.stack, "sky"))
    (row,) = judged(planet, result)["channels"]
    assert row["heldout_frames"] == len(planet.read(planet.stack, "held"))
    assert row["heldout_chi2_sky"] < 0.5 * row["heldout_chi2_stack"]
    assert row["flux_sky_over_stack"] == pytest.approx(1, abs=0.005)


def test_the_word_of_every_frame_that_judged_is_kept(planet: Any) -> None:
    (row,) = judged(planet, planet.result)["channels"]
    np.testing.assert_array_equal(planet.read(planet.result, "heldout_frames"), planet.read(planet.stack, "held"))
    for name in ("sky", "stack"):
        each = planet.read(planet.result, f"chi2_{name}")
        assert each.shape == (1, row["heldout_frames"])
        assert np.median(each) == pytest.approx(row[f"heldout_chi2_{name}"])


@pytest.mark.parametrize("only", ["sky", "spectrum"])
def test_a_sabotaged_sky_is_not_published(planet: Any, only: str) -> None:
    bad = sabotage(planet.store, planet.sky, planet.stack, only)
    result = planet.judged(bad)
    assert planet.note(result, "published") == "stack"
    np.testing.assert_array_equal(planet.read(result, "sky"), planet.read(planet.stack, "stack"))
    words = describe(planet.store, result, {}, None)["verdict"]
    assert words[0].startswith("The STACK is published instead of the sky: 3 held-out frames")
    assert {"sky": "wider canvas", "spectrum": "they prefer the stack"}[only] in words[0]


def test_a_solve_at_a_nonsense_rate_is_no_better_than_it_says(planet: Any) -> None:
    """One step of 50 rad leaves random PSFs: whatever is published, unseen frames were worse explained than by a good solve."""
    words = ("psfs.modes=28", "rounds.0.psfs.steps=1", "rounds.0.psfs.rate_rad=50")
    turn = load_config(overrides=words).rounds[0]
    sky = planet.sky_of(planet.psfs_of(planet.stack, turn.psfs), planet.stack, turn.sky)
    result = planet.judged(sky)
    (row,), (good,) = judged(planet, result)["channels"], judged(planet, planet.result)["channels"]
    assert row["heldout_chi2_sky"] > 3 * good["heldout_chi2_sky"]
    better = row["heldout_chi2_sky"] < row["heldout_chi2_stack"]
    assert planet.note(result, "published") == ("sky" if better else "stack")
    assert not better


def test_every_channel_is_judged(coloured: Any) -> None:
    rows = judged(coloured, coloured.result)["channels"]
    assert len(rows) == 3
    assert coloured.read(coloured.result, "sky").shape == (3, 48, 64)
    assert all(np.isfinite(value).all() for row in rows for value in row.values())


def test_frames_that_stand_out_are_named_by_their_best_start() -> None:
    frames = np.array([4, 7, 9, 12, 15, 4, 7, 9, 12, 15])
    left = np.array([1.0, 1.02, 5.0, 0.98, 1.01, 1.03, 4.0, 4.5, 1.0, 1.0], np.float32)
    assert unexplained(frames, left) == [9]
    assert unexplained(frames, np.ones(10, np.float32)) == []


def test_the_report_names_frames_that_the_sky_does_not_explain(planet: Any) -> None:
    report = describe(planet.store, planet.result, {}, None)
    named = unexplained(planet.read(planet.sky, "frames"), planet.read(planet.sky, "misfits")[0])
    assert report["channels"][0]["unexplained_frames"] == named
