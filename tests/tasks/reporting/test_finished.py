"""The report says what was enhanced, how it was checked, and shows it beside the physics."""

from typing import Any

import pytest

from configs.finishing import Burst, Dewarp, Fill
from storage.product import CaptureResults
from storage.results.published import BURST
from tasks.burst import burst
from tasks.dewarp import dewarp
from tasks.enhance import enhance
from tasks.fill import fill
from tasks.reporting.finished import add_finished, enhanced_picture, finished_cubes, finished_pictures
from tasks.reporting.html import rendered
from tasks.reporting.measured import add_measured
from tasks.reporting.page import gather
from tasks.reporting.report import describe


@pytest.fixture
def results(planet: Any) -> CaptureResults:
    given = (planet.result, planet.inputs, planet.sky, planet.config.telescope, planet.config.enhance)
    clean = burst(
        planet.run,
        planet.clean,
        planet.stack,
        planet.stack,
        Burst(mode="classical", frames=8, strength=1.0),
    )
    settings = Dewarp(mode="classical", frames=8, patch_px=16, step_px=8, strength=1.0)
    shifted = dewarp(planet.run, planet.clean, planet.stack, planet.stack, settings)
    whole = fill(
        planet.run, planet.frames, planet.clean, planet.mean, planet.stack, Fill(mode="classical", strength=1.0)
    )
    return CaptureResults(planet.result, enhance(planet.run, *given), clean, shifted, whole)


def test_report_and_page_show_it_in_words(planet: Any, results: CaptureResults) -> None:
    truth = planet.truth[None]
    report = describe(planet.store, planet.result, planet.config.model_dump(mode="json"), truth)
    add_finished(planet.store, results, report, truth)
    assert report["enhanced"]["used"] == "classical"
    assert report["truth"]["enhanced"]["psnr_db"] > report["truth"]["solved"]["psnr_db"] - 0.02
    assert "sky.fits is not changed" in report["verdict"][-1]
    assert "clean movie of 8 frames" in report["verdict"][-2]
    assert report["burst"]["frames"] == 8
    assert report["seconds"]["total"] >= report["seconds"]["enhance"]
    add_measured(planet.store, planet.result, report, planet.config.telescope)
    shown = finished_pictures(planet.store, results)
    page = rendered(gather(planet.store, planet.result, report, planet.config.telescope, truth, shown))
    assert "The enhanced picture" in page
    assert "The clean movie" in page
    assert all(line.split("'")[0] in page for part in report["finished"] for line in part["words"])


def test_history_holds_the_checks(planet: Any, results: CaptureResults) -> None:
    picture = enhanced_picture(planet.store, results)
    assert picture is not None
    assert any("Checked without the truth" in line for line in picture.history)


def test_the_movie_is_published_with_its_errors(planet: Any, results: CaptureResults) -> None:
    (cube,) = finished_cubes(planet.store, results)
    assert {name: frames.shape for name, frames in cube.files.items()} == dict.fromkeys(BURST, (8, 64, 64))


def test_nothing_is_said_where_nothing_was_enhanced(planet: Any) -> None:
    report = describe(planet.store, planet.result, {}, None)
    before = dict(report)
    off = CaptureResults.of(planet.result)
    add_finished(planet.store, off, report, None)
    assert report == before
    assert finished_pictures(planet.store, off) == ()
    assert enhanced_picture(planet.store, off) is None
    assert finished_cubes(planet.store, off) == ()
