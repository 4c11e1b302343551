"""Names, folders and logs tell the filter of a capture; a name with several, or none, does not."""

from pathlib import Path

import numpy as np
import pytest

from storage.captures.filter_names import band_in, colour_filter, is_mono, told_band
from storage.captures.readers.ser import write_ser

FRAMES = np.random.default_rng(4).integers(0, 255, (5, 8, 9)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "filter_"),
    [
        ("Jup_R_213000", "red"), ("2026-11-20-2214_3-G-Jup", "green"), ("B_261120_221403", "blue"),
        ("Jup_261120_221403_L", "luminance"), ("22_14_03 Green", "green"), ("Mars-Blau_0001", "blue"),
        ("Jupiter_213000", None), ("Jup_RGB_213000", None), ("Jup_R_and_G", None), ("Jup_CH4_2", "ch4"), ("Bob", None),
        ("Jup_R_IR", None),
        ("Mars_vert_1", "green"), ("Sun-Halpha", "ha"), ("jup_IR685_1", "ir685"), ("Jup_Luminanz", "luminance"), ("Jup_na", None),
    ],
)  # fmt: skip
def test_the_filter_in_a_name(name: str, filter_: str | None) -> None:
    told = band_in(name)
    assert (told and told[0]) == filter_


def test_the_name_counts_before_the_folder_and_the_log(tmp_path: Path) -> None:
    assert told_band(tmp_path / "R" / "Jup_G.ser", "B") == "green"
    assert told_band(tmp_path / "R" / "Jup.ser", "B") == "red"
    assert told_band(tmp_path / "x" / "Jup.ser", " Blue ") == "blue"
    assert told_band(tmp_path / "x" / "Jup.ser", "H-alpha") == "ha"
    assert told_band(tmp_path / "x" / "Jup.ser", "none") == ""


def test_only_broad_bands_are_filters_of_a_colour_sky() -> None:
    assert colour_filter(told_band(Path("x/Jup_CH4.ser"), "R")) is None, "the name counts, and it is no colour"
    assert colour_filter("red") == "red"


def test_what_is_mono(tmp_path: Path) -> None:
    write_ser(tmp_path / "mono.ser", FRAMES, 8)
    write_ser(tmp_path / "bayer.ser", FRAMES, 8, bayer="RGGB")
    (tmp_path / "broken.ser").write_bytes(b"no capture")
    told = {name: is_mono(tmp_path / f"{name}.ser") for name in ("mono", "bayer", "broken", "missing")}
    assert told == {"mono": True, "bayer": False, "broken": True, "missing": True}
