"""Captures of one turning planet are found to belong together."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from configs.load import load_config
from configs.observatory import Site
from configs.schema import Config
from storage.captures.night import Recording
from storage.captures.sessions import SessionGroup, globe_of, session_aspects, sessions_in
from storage.captures.sidecars import Log
from storage.errors import Hopeless

BEGIN = datetime(2026, 11, 20, 22, 14)
CONFIG = load_config()


def recording(name: str, minutes: float, folder: str = "night", log: Log | None = None) -> Recording:
    stem = name.removesuffix(".ser")
    return Recording(Path("/x") / folder / name, f"{stem}_ser", BEGIN + timedelta(minutes=minutes), log or Log())


def found(captures: Sequence[Recording], *words: str) -> list[SessionGroup]:
    config = load_config(overrides=words)
    return sessions_in(captures, lambda _: config)


def test_captures_that_follow_each_other_are_one_session() -> None:
    captures = [recording(f"Jup_221{k}.ser", 3 * k) for k in range(5)]
    (group,) = found(captures[::-1])
    assert [p.started for p in group.parts] == sorted(p.started for p in captures)
    assert (group.name, group.planet) == ("Jupiter_2026-11-20_2214-2226_session", "Jupiter")
    assert group.slots == (-1,) * 5


def test_a_file_split_at_4_gb_and_its_rest_are_one_session() -> None:
    (group,) = found([recording("Mars_2214.ser", 0), recording("Mars_2214_0001.ser", 1.5)])
    assert len(group.parts) == 2


def test_a_long_gap_and_a_long_night_end_a_session() -> None:
    gap = [recording(f"jupiter{k}.ser", m) for k, m in enumerate((0, 5, 30, 35))]
    assert [len(g.parts) for g in found(gap)] == [2, 2]
    night = [recording(f"jupiter{k}.ser", 5 * k) for k in range(18)]
    assert [len(g.parts) for g in found(night)] == [9, 9]
    assert found(gap, "session.gap_s=100") == []


def test_what_does_not_turn_other_folders_and_other_scales_make_no_session() -> None:
    assert found([recording(f"moon{k}.ser", k) for k in range(4)]) == []
    assert found([recording("jupiter1.ser", 0, "a"), recording("jupiter2.ser", 1, "b")]) == []
    assert found([recording(f"jupiter{k}.ser", k) for k in range(4)], "session.mode=off") == []
    scales = {"jupiter1.ser": 0.2, "jupiter2.ser": 0.1}

    def settings(capture: Recording) -> Config:
        return load_config(overrides=[f"telescope.pixel_scale_arcsec={scales[capture.path.name]}"])

    assert sessions_in([recording("jupiter1.ser", 0), recording("jupiter2.ser", 1)], settings) == []
    assert sessions_in([recording("jupiter1.ser", 0), recording("jupiter2.ser", 1)], lambda _: None) == []


def test_cycles_of_red_green_and_blue_are_one_session_in_colour() -> None:
    captures = [recording(f"Jup_{f}_{k}.ser", k) for k, f in enumerate("RGBRGBRGB")]
    (group,) = found(captures)
    assert group.slots == (0, 1, 2) * 3
    assert "_rgb_" in group.name


def test_one_cycle_is_no_session_and_other_filters_have_their_own() -> None:
    assert found([recording(f"Jup_{f}.ser", k) for k, f in enumerate("RGB")]) == []
    mixed = [recording(f"Jup_{f}_{k}.ser", k) for k, f in enumerate(("IR", "CH4", "IR", "CH4", "IR"))]
    groups = found(mixed)
    assert sorted(len(g.parts) for g in groups) == [2, 3]
    assert all(set(g.slots) == {-1} for g in groups)


def test_the_filters_of_a_session_are_told_as_those_of_a_colour_sky_are() -> None:
    words = ("rot", "grün", "azul", "rouge", "vert", "blau")
    (group,) = found([recording(f"Jup_{word}_{k}.ser", k) for k, word in enumerate(words)])
    assert group.slots == (0, 1, 2, 0, 1, 2)
    assert found([recording("Jup_R_1.ser", 0, log=Log(filter="B")), recording("Jup_G_2.ser", 1)]) == [], (
        "the name counts"
    )
    logged = [
        recording(f"Jup_{k}.ser", k, log=Log(filter=f)) for k, f in enumerate(("IR685", "IR742", "IR685", "IR742"))
    ]
    assert [len(g.parts) for g in found(logged)] == [2, 2]


def test_two_sessions_of_one_minute_have_folders_of_their_own() -> None:
    scales = iter((0.2, 0.2, 0.1, 0.1))
    captures = [recording(f"jupiter{k}.ser", 0.1 * k) for k in range(4)]
    configs = {c.path: load_config(overrides=[f"telescope.pixel_scale_arcsec={next(scales)}"]) for c in captures}
    names = [group.name for group in sessions_in(captures, lambda c: configs[c.path])]
    assert len(set(names)) == 2
    assert names[1] == f"{names[0]}-2"


MOMENTS = [datetime(2026, 11, 20, 22, 14, tzinfo=UTC) + timedelta(minutes=10 * k) for k in range(3)]


def test_aspects_are_of_the_middle_and_of_every_part() -> None:
    aspects = session_aspects("Jupiter", MOMENTS, 0.2, Site(), CONFIG.session)
    assert aspects[0] == aspects[2]
    turned = [(b[0] - a[0]) % 360 for a, b in itertools.pairwise(aspects[1:])]
    assert turned == pytest.approx([6.04, 6.04], abs=0.01)
    assert [a[2] for a in aspects] == pytest.approx([0, 0, 0, 0], abs=0.01)
    assert aspects[0][3] == pytest.approx(38.0 / 0.2, rel=0.01)
    assert session_aspects("Jupiter", MOMENTS, None, Site(), CONFIG.session)[0][3] == 0


def test_an_alt_azimuth_mount_turns_the_field() -> None:
    altaz = load_config(overrides=["session.mount=altaz"]).session
    site = Site(latitude_deg=50.0, longitude_deg=8.0)
    fields = [a[2] for a in session_aspects("Jupiter", MOMENTS, 0.2, site, altaz)]
    assert fields[0] == 0
    assert fields[1] * fields[3] < 0
    assert 0.5 < abs(fields[3] - fields[1]) < 10
    with pytest.raises(Hopeless, match="latitude"):
        session_aspects("Jupiter", MOMENTS, 0.2, Site(), altaz)


def test_saturn_has_rings() -> None:
    assert globe_of("Saturn")[1:] == (1.11, 2.27)
    assert globe_of("Mars")[1:] == (0, 0)
