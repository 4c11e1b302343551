"""The page shows what the store holds: its pictures are those of the products, its numbers those of the report."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.evaluate import evaluate
from tasks.reporting.html import Page, rendered
from tasks.reporting.measured import add_measured
from tasks.reporting.page import gather
from tasks.reporting.report import describe


def page_of(filmed: Any, truth: Any = None, result: Any = None) -> Page:
    result = result or filmed.result
    report = describe(filmed.store, result, filmed.config.model_dump(mode="json"), truth)
    add_measured(filmed.store, result, report, filmed.config.telescope)
    return gather(filmed.store, result, report, filmed.config.telescope, truth)


@pytest.fixture(scope="module")
def shown(planet: Any) -> Page:
    return page_of(planet, planet.truth[None])


def test_pictures_are_those_of_the_products(planet: Any, shown: Page) -> None:
    pictures = {picture.key: picture.light for picture in shown.pictures}
    assert list(pictures) == ["median", "best", "stack", "lucky", "round1", "sky", "truth"]
    np.testing.assert_array_equal(pictures["sky"], planet.read(planet.result, "sky"))
    np.testing.assert_array_equal(pictures["stack"], planet.read(planet.stack, "stack"))
    np.testing.assert_array_equal(pictures["round1"], planet.read(planet.rounds[0][1], "sky"))
    assert {picture.light.shape for picture in shown.pictures} == {(1, 64, 64)}


def test_frames_are_shown_in_place_and_the_truth_in_camera_units(shown: Page) -> None:
    """Each lies where the stack lies, which a frame does not: it drifted by several pixels."""
    pictures = {picture.key: picture.light[0, 12:52, 12:52].ravel() for picture in shown.pictures}
    for key, least in (("median", 0.9), ("best", 0.9), ("truth", 0.9)):
        assert np.corrcoef(pictures[key], pictures["stack"])[0, 1] > least, key
    assert np.sqrt(np.mean((pictures["truth"] - pictures["sky"]) ** 2)) < 0.15 * np.ptp(pictures["sky"])


def test_every_stage_says_what_it_took_and_reached(planet: Any, shown: Page) -> None:
    titles = [stage.title for stage in shown.stages]
    assert titles == ["Stack", "Lucky stack", "Round 1", "Round 2"]
    keys = {picture.key for picture in shown.pictures}
    assert {stage.picture for stage in shown.stages} <= keys
    first, second = (dict(stage.rows) for stage in shown.stages[2:])
    assert first["frames"] == first["newly solved"] == "16"
    assert int(second["frames"]) == int(first["frames"]) + int(second["newly solved"])
    assert first["PSFs"] == f"{planet.store.seconds(planet.rounds[0][0]):.1f} s"
    decibels = [float(stage.rows["PSNR"].split()[0]) for stage in shown.stages]
    assert decibels[0] < decibels[1] < decibels[2]


def test_the_judges_and_the_losses_are_those_of_the_products(planet: Any, shown: Page) -> None:
    judges, losses = shown.resolution[1:]
    sky, stack = judges.series
    np.testing.assert_array_equal(sky.y, planet.read(planet.result, "chi2_sky")[0])
    assert (sky.y < stack.y).all()
    assert len(sky.x) == len(planet.read(planet.result, "heldout_frames"))
    assert list(losses.series[0].x) == [50, 100]
    assert losses.series[0].y[0] > losses.series[0].y[1] == 0
    assert losses.title in rendered(shown)


def test_belief_is_the_published_standard_error_in_shares_of_the_light(planet: Any, shown: Page) -> None:
    assert shown.belief is not None
    error, sky = planet.read(planet.result, "belief")[0], planet.read(planet.result, "published")[0]
    share = shown.belief.share / error
    assert np.ptp(share) < 1e-5 * share.max()
    assert 1 / share.max() == pytest.approx(np.ptp(sky), rel=0.2)
    html = rendered(shown)
    assert shown.belief.sentence in html
    assert "Map of the standard error" in html
    assert "″" in shown.belief.finest


def test_psfs_go_from_the_best_to_the_worst(planet: Any, shown: Page) -> None:
    peaks = [float(tile.values.max()) for tile in shown.psfs]
    assert peaks[0] == pytest.approx(1, abs=1e-3)
    assert peaks == sorted(peaks, reverse=True)
    assert len({tile.values.shape for tile in shown.psfs}) == 1
    assert f"Strehl {peaks[-1]:.3f}" in shown.psfs[-1].caption
    assert "″" in shown.psf_note


def test_without_a_truth_nothing_is_compared_with_it(planet: Any) -> None:
    page = page_of(planet)
    assert "truth" not in {picture.key for picture in page.pictures}
    assert "Truth" not in page.figures
    assert "PSNR" not in page.stages[0].rows
    assert [series.name for series in page.resolution[0].series] == ["half-sets solved apart"]
    assert "Against the known truth" not in rendered(page)


def test_a_rejected_sky_is_shown_and_marked(planet: Any, shown: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.evaluate.is_nearer", lambda *_: False)
    settings = planet.config.evaluate.model_copy(update={"frames": 2})
    result = evaluate(planet.run, planet.inputs, planet.sky, planet.config.telescope, settings, planet.config.colour)
    page = page_of(planet, result=result)
    sky = next(picture for picture in page.pictures if picture.key == "sky")
    assert sky.caption.endswith("; not published")
    np.testing.assert_array_equal(sky.light, planet.read(planet.sky, "sky"))
    assert 'class="verdict fair"' in rendered(page)
    assert "not published" not in rendered(shown)


def test_colour_is_shown_in_colour(coloured: Any) -> None:
    page = page_of(coloured)
    assert {picture.light.shape for picture in page.pictures} == {(3, 48, 64)}
    assert page.misfit is not None
    assert page.misfit.ratio.shape == (48, 64)
    assert [rendered(page).count(f"<h3>{name}</h3>") for name in ("Red", "Green", "Blue")] == [1, 1, 1]


def test_spoiled_frames_say_why(spoiled: Any) -> None:
    text = rendered(page_of(spoiled))
    assert "frame 5: " in text
    assert "(black" in text
    assert "(duplicate" in text


def test_psfs_of_free_form_and_an_unknown_telescope(planet: Any, tmp_path: Path) -> None:
    optics = tmp_path / "none.toml"
    optics.write_text("")
    words = ["psfs.model='freeform'", "rounds.0.psfs.steps=3", "psfs.steps=3"]
    other = type(planet)(planet.path, tmp_path / "store", (*words, "rounds.1.sky.cg_iterations=1"), optics)
    page = page_of(other)
    assert len(page.seeing) == 1, "pixels tell no D/r0"
    assert page.figures["Seeing"][1] == "telescope not given"
    assert all(0 < tile.values.max() <= 1.5 for tile in page.psfs)
    assert "λ/D" not in page.psf_note
    rendered(page)
