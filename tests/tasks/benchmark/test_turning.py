"""Simulated files of one turning planet."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from configs.load import BadConfig
from storage.captures.planets import aspect
from storage.captures.readers import open_capture
from storage.results.truth import truth_beside
from tasks.benchmark.simulate import simulate
from tasks.benchmark.turning import Turning, parse_turning
from tasks.numerics.globe.spheroid import surface_at

SMALL = {"n_frames": 6, "size_px": 48, "psf_px": 64, "fps": 0.05, "rotation": True}


def test_a_file_has_the_time_and_the_meridian_that_were_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "jupiter.ser"
    simulate(out, {**SMALL, "started": "2026-11-20T22:14:00", "north_deg": 30.0})
    with open_capture(out) as reader:
        assert reader.timestamps is not None
        assert reader.timestamps[0] == pytest.approx(datetime.fromisoformat("2026-11-20T22:14:00+00:00").timestamp())
        assert reader.timestamps[-1] - reader.timestamps[0] == pytest.approx(100)
    assert "north 30 degrees" in out.with_suffix(".toml").read_text()
    view = Turning(30.0).view(100, datetime(2026, 11, 20, 22, 14))
    assert view.meridian_deg == pytest.approx(aspect("Jupiter", datetime(2026, 11, 20, 22, 14)).meridian_deg)


def test_files_of_a_session_show_one_planet_that_turned(tmp_path: Path) -> None:
    truths = []
    for minutes, seed in ((0, 1), (0, 2), (30, 1)):
        out = tmp_path / f"{minutes}_{seed}.ser"
        started = (datetime(2026, 11, 20, 22, 14) + timedelta(minutes=minutes)).isoformat()
        simulate(out, {**SMALL, "started": started, "seed": seed})
        found = truth_beside(out)
        assert found is not None
        truths.append(found[0])
    assert np.allclose(truths[0], truths[1])
    assert float(np.abs(truths[0] - truths[2]).max()) > 0.05 * float(truths[0].max())


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"rotation": True}, "--started"),
        ({"rotation": True, "started": "yesterday"}, "yesterday"),
        ({"north_deg": 3.0}, "--rotation"),
        ({"planet": "Mars"}, "--rotation"),
        ({"rotation": True, "started": "2026-11-20T22:14:00", "planet": "Pluto"}, "Saturn"),
        ({"started": "1890-01-01T00:00:00"}, "1970"),
    ],
)
def test_what_cannot_be_simulated_is_said(given: dict[str, object], word: str) -> None:
    with pytest.raises(BadConfig, match=word):
        parse_turning(dict(given), "planet", False)


def test_a_disc_that_the_frame_holds_is_to_scale() -> None:
    moment = datetime(2026, 11, 20, 22, 14)
    mars = Turning(planet="Mars").to_scale(moment, 64, 0.25)
    assert 2 * mars.view(200, moment).radius_px == pytest.approx(aspect("Mars", moment).diameter_arcsec / 0.25)
    assert "not to scale" not in mars.words
    saturn = Turning(planet="Saturn")
    assert saturn.to_scale(moment, 96, 0.25) == saturn, "the rings are wider than the frame"
    assert "not to scale" in saturn.words


def test_rings_stand_beside_and_before_the_disc_and_do_not_turn() -> None:
    moment = datetime(2026, 11, 20, 22, 14)
    saturn = Turning(planet="Saturn", radius_px=20.0)
    view = saturn.view(120, moment)
    sky = saturn.sky(120, moment)
    now, later = sky(0.0), sky(1800.0)
    changed = np.abs(now - later) > 0.01
    y, x = np.indices(now.shape).astype(float)
    assert changed[surface_at(view, y, x).mu > 0.5].mean() > 0.3
    assert not changed[:, :36].any(), "the rings to the left"
    assert now[:, 20:36].max() > 0.5


def test_only_the_planet_turns() -> None:
    with pytest.raises(BadConfig, match="--target"):
        parse_turning({"rotation": True, "started": "2026-11-20T22:14:00"}, "moon", False)
    assert parse_turning({}, "moon", True) == (None, None)
