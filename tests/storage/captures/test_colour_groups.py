"""Captures through filters are found by names, folders, logs or patterns; what does not belong together stays apart."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from configs.colour import Colour, FilterPatterns
from configs.load import load_config
from storage.captures.colour_groups import colour_groups, group_of
from storage.captures.night import night_at
from storage.captures.readers.ser import write_ser
from storage.errors import Hopeless

FRAMES = np.random.default_rng(4).integers(0, 255, (5, 8, 9)).astype(np.uint8)
EVENING = datetime(2026, 11, 20, 22, 0)
COLOUR = load_config().colour


def video(path: Path, second: float = 0.0, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stamps = (EVENING + timedelta(seconds=second)).timestamp() + np.arange(len(FRAMES))
    write_ser(path, FRAMES, 8, stamps, **more)  # type: ignore[arg-type]
    return path


def found(folder: Path, colour: Colour = COLOUR) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Group: filter -> name of the capture's file; and the sentences."""
    all_ = colour_groups(night_at(folder).captures, lambda _: colour)
    return {g.name: {f: r.path.name for f, r in g.parts.items()} for g in all_.groups}, all_.sentences


def test_groups_by_name(tmp_path: Path) -> None:
    for number, letter in enumerate("LRGB"):
        video(tmp_path / f"Jup_{letter}_22{number:02d}00.ser", 60 * number)
        video(tmp_path / "deep" / f"2026-11-20-220{number}_0-{letter}-Sat.ser", 60 * number)
    video(tmp_path / "Moon_2210.ser", 30)
    groups, sentences = found(tmp_path)
    jupiter = {
        "red": "Jup_R_220100.ser",
        "green": "Jup_G_220200.ser",
        "blue": "Jup_B_220300.ser",
        "luminance": "Jup_L_220000.ser",
    }
    assert groups["Jup_LRGB_220100"] == jupiter
    assert list(groups["Jup_LRGB_220100"]) == ["red", "green", "blue", "luminance"]
    assert set(groups) == {"Jup_LRGB_220100", "deep/2026-11-20-2201_0-LRGB-Sat"}
    assert sentences == []


def test_a_sequence_makes_a_group_of_each_pass(tmp_path: Path) -> None:
    for number, letter in enumerate("RGBBGRRG"):
        video(tmp_path / f"{letter}_{number}.ser", 100 * number)
    groups, sentences = found(tmp_path)
    assert [list(parts.values()) for parts in groups.values()] == [
        ["R_0.ser", "G_1.ser", "B_2.ser"],
        ["R_5.ser", "G_4.ser", "B_3.ser"],
    ]
    assert sentences == ["no colour sky of R_6_ser, G_7_ser: blue missing"]


def test_of_a_filter_taken_again_the_last_counts(tmp_path: Path) -> None:
    for number, letter in enumerate("RRGGB"):
        video(tmp_path / f"{letter}_{number}.ser", 60 * number)
    groups, _ = found(tmp_path)
    assert [list(parts.values()) for parts in groups.values()] == [["R_1.ser", "G_3.ser", "B_4.ser"]]


def test_captures_far_apart_in_time_are_no_group(tmp_path: Path) -> None:
    for letter, second in (("R", 0), ("G", 300), ("B", 700)):
        video(tmp_path / f"Jup_{letter}.ser", second)
    groups, sentences = found(tmp_path)
    assert groups == {}
    assert "red, green and blue do not begin within colour.group_span_s" in sentences[0]
    longer = COLOUR.model_copy(update={"group_span_s": 800.0})
    assert set(found(tmp_path, longer)[0]) == {"Jup_RGB"}


def test_other_targets_and_folders_are_other_groups(tmp_path: Path) -> None:
    video(tmp_path / "Jup_R.ser")
    video(tmp_path / "Sat_G.ser")
    video(tmp_path / "deep" / "Jup_B.ser")
    assert found(tmp_path) == ({}, [])


def test_folders_named_after_filters(tmp_path: Path) -> None:
    for number, name in enumerate(("R", "G", "B")):
        video(tmp_path / "Jupiter" / name / f"22_0{number}_00.ser", 60 * number)
    groups, _ = found(tmp_path)
    assert groups == {"Jupiter/22_00_00_RGB": {"red": "22_00_00.ser", "green": "22_01_00.ser", "blue": "22_02_00.ser"}}


def test_logs_tell_where_names_do_not(tmp_path: Path) -> None:
    for number, name in enumerate(("R", "G", "Blue")):
        film = video(tmp_path / f"Jup_220{number}.ser", 60 * number)
        film.with_suffix(".txt").write_text(f"FireCapture v2.7  Settings\nFilter={name}\n")
    assert list(found(tmp_path)[0]) == ["Jup_2200_RGB"]


def test_patterns_and_off(tmp_path: Path) -> None:
    for number, name in enumerate(("film1", "film2", "film3")):
        video(tmp_path / f"{name}.ser", 60 * number)
    patterns = FilterPatterns(red="FILM2*", green="*1.ser", blue="*3.ser")
    own = COLOUR.model_copy(update={"group": patterns})
    assert found(tmp_path, own)[0] == {"film2_RGB": {"red": "film2.ser", "green": "film1.ser", "blue": "film3.ser"}}
    for number, letter in enumerate("RGB"):
        video(tmp_path / "deep" / f"{letter}.ser", 60 * number)
    assert found(tmp_path, COLOUR.model_copy(update={"group": "off"})) == ({}, [])


def test_colour_cameras_are_left_alone(tmp_path: Path) -> None:
    for number, letter in enumerate("RGB"):
        path = video(tmp_path / f"Jup_{letter}.ser", 60 * number)
        content = bytearray(path.read_bytes())
        content[18] = 8  # ColorID of a RGGB mosaic
        path.write_bytes(content)
    assert found(tmp_path)[0] == {}


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    for number, letter in enumerate("RGBRGB"):
        video(tmp_path / f"{letter}.{'ser' if number < 3 else 'SER'}", 60 * number)
    assert sorted(found(tmp_path)[0]) == ["RGB", "RGB-2"]


def test_captures_named_by_the_user(tmp_path: Path) -> None:
    named = [video(tmp_path / f"Jup_{letter}_{n}.ser") for n, letter in enumerate("BRG")]
    group = group_of(named, COLOUR)
    assert [r.path.name for r in group.parts.values()] == ["Jup_R_1.ser", "Jup_G_2.ser", "Jup_B_0.ser"]
    plain = [video(tmp_path / f"{n}.ser") for n in range(4)]
    group = group_of(plain, COLOUR)
    assert {f: r.path.name for f, r in group.parts.items()} == {
        "red": "0.ser", "green": "1.ser", "blue": "2.ser", "luminance": "3.ser"
    }  # fmt: skip
    with pytest.raises(Hopeless, match="2 captures: one is restored by itself"):
        group_of(named[:2], COLOUR)
    with pytest.raises(Hopeless, match=r"Jup_R_1.ser: red, 0.ser: not known"):
        group_of([named[1], plain[0], named[2]], COLOUR)
    with pytest.raises(Hopeless, match="one capture each"):
        group_of([named[0], named[1], named[1]], COLOUR)


def test_a_capture_that_waits_for_the_others_has_its_filter(tmp_path: Path) -> None:
    video(tmp_path / "Jup_R.ser")
    video(tmp_path / "Jup_G.ser", 60)
    video(tmp_path / "mars_b.ser", 90)
    found_ = colour_groups(night_at(tmp_path).captures, lambda _: COLOUR)
    assert found_.filters == {"Jup_R_ser": "red", "Jup_G_ser": "green"}, "one letter alone is no filter"
    assert found_.groups == []
