"""The report: every frame accounted for, every step timed, the truth compared, and all of it plain JSON."""

import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tasks.reporting.report import _verdict, describe, estimated_cutoff, posterised


def test_report_of_a_planet(planet: Any) -> None:
    report = describe(planet.store, planet.result, {"evaluate": {"steps": 25}}, planet.truth[None])
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["capture"]["name"] == "planet.ser"
    assert report["capture"]["fingerprint"] == planet.capture.fingerprint
    assert report["capture"]["shape"] == [1, 64, 64]
    assert report["settings"] == {"evaluate": {"steps": 25}}
    assert report["published"] == "sky"
    assert report["truth"]["solved"]["psnr_db"] > report["truth"]["lucky"]["psnr_db"] + 3
    assert report["truth"]["lucky"]["psnr_db"] > report["truth"]["stack"]["psnr_db"]


def test_every_step_and_round_is_timed(planet: Any) -> None:
    seconds = describe(planet.store, planet.result, {}, None)["seconds"]
    steps = ["ingest", "average", "calibrate", "align", "shift_average", "measure_seeing", "solve_psfs", "solve_sky"]
    assert set(seconds) == {*steps, "solve_psfs 2", "solve_sky 2", "evaluate", "total"}
    assert seconds["total"] == pytest.approx(sum(v for k, v in seconds.items() if k != "total"), abs=0.01)
    assert next(iter(seconds)) == "ingest"


def test_words_tell_who_won_and_by_how_much(planet: Any) -> None:
    words, fewer = (
        [line for line in describe(planet.store, planet.result, {}, truth)["verdict"] if "not explained by" not in line]
        for truth in (planet.truth[None], None)
    )
    assert words[0].startswith("The sky is published: 5 held-out frames")
    assert "of 32 frames used, 5 of them only to judge; seeing D/r0 = " in words[1]
    assert "dB (+" in words[2]
    assert len(fewer) == 2


def test_words_name_frames_that_the_sky_does_not_explain(planet: Any) -> None:
    report = describe(planet.store, planet.result, {}, None)
    report["channels"][0]["unexplained_frames"] = list(range(12))
    (line,) = [line for line in _verdict(report) if "not explained by the sky" in line]
    assert line.startswith("12 of the solved frames")
    assert "8, 9, ..." in line


def test_one_frame_is_not_told_as_many(planet: Any) -> None:
    report = describe(planet.store, planet.result, {}, None)
    report["channels"][0] |= {"heldout_frames": 1, "unexplained_frames": [7]}
    words = " ".join(_verdict(report))
    assert "1 held-out frame is explained" in words
    assert "1 of the solved frames is not explained by the sky (7, counted from 0)" in words


def test_frames_that_no_sky_explains_are_called_strange(planet: Any) -> None:
    report = describe(planet.store, planet.result, {}, None)
    assert not any("compressed video" in line for line in _verdict(report))
    report["channels"][0] |= {"heldout_chi2_sky": 22.0, "heldout_chi2_stack": 93.0}
    assert any("Both leave more than 10 times the noise" in line for line in _verdict(report))


def test_frames_are_counted_by_reason(spoiled: Any) -> None:
    frames = describe(spoiled.store, spoiled.result, {}, None)["frames"]
    assert {"black": 1, "duplicate": 1, "saturated": 1}.items() <= frames.items()
    assert frames["unaligned"] >= 1
    lost = sum(count for reason, count in frames.items() if reason not in ("used", "held_out"))
    assert frames["used"] + lost >= 32  # a frame may have more than one fault
    assert frames["used"] == (spoiled.read(spoiled.stack, "flags") == 0).sum()


def test_dropped_frames_are_seen_in_the_clock(planet: Any, spoiled: Any) -> None:
    assert describe(planet.store, planet.result, {}, None)["capture"]["dropped_frames"] == 0
    assert describe(spoiled.store, spoiled.result, {}, None)["capture"]["dropped_frames"] is None


def test_a_colour_truth_may_be_grey(coloured: Any, planet: Any) -> None:
    report = describe(coloured.store, coloured.result, {}, planet.truth[None, 8:56])
    assert np.isfinite(report["truth"]["solved"]["psnr_db"])
    (seeing,) = [line for line in report["verdict"] if "seeing D/r0 = " in line]
    assert re.search(r"D/r0 = [\d.]+, [\d.]+, [\d.]+ in red, green and blue\.", seeing)


def test_what_a_step_had_to_do_otherwise_is_told_once(planet: Any, tmp_path: Path) -> None:
    copy = planet.elsewhere(tmp_path)
    note = "8 frames together ran out of memory; done as 4 and 4"
    assert describe(copy.store, copy.result, {}, None)["notes"] == []
    with h5py.File(copy.store.path(copy.rounds[0][0]), "r+") as file:
        file.attrs["notes"] = json.dumps([note, note])
    report = describe(copy.store, copy.result, {}, None)
    assert report["notes"] == [f"solve_psfs: {note} (2 times)"]
    assert f"solve_psfs: {note} (2 times)." in report["verdict"]


def test_a_posterised_sky_is_said(planet: Any) -> None:
    report = describe(planet.store, planet.result, {}, None)
    assert report["quantisation"]["code_step_adu"] == 1
    assert report["quantisation"]["sky_noise_steps"] > 1
    assert posterised(report) == ""
    report["quantisation"]["sky_noise_steps"] = 0.3
    assert posterised(report).startswith("The dark sky is posterised: its noise is 0.30 steps")
    assert posterised(report) in _verdict(report)
    report["quantisation"]["sky_noise_steps"] = None
    assert posterised(report) == ""


def test_an_estimated_cut_off_is_told_with_its_error() -> None:
    assert estimated_cutoff(0.31, 0.06).startswith(
        "No telescope was given: the frames show its cut-off at 0.31 cycles/px (± 6%)"
    )
    assert "do not show its cut-off well: 0.40 cycles/px (± 35%) is taken" in estimated_cutoff(0.4, 0.35)
