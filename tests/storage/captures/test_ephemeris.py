"""The planets' discs are as large as the almanac says, without a network."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from storage.captures.ephemeris import disc_arcsec, planet_of
from storage.captures.readers.ser import write_ser


@pytest.mark.parametrize(
    ("planet", "moment", "arcsec"),
    [("Jupiter", datetime(2024, 12, 7, 22), 48.2), ("Mars", datetime(2020, 10, 13, 23), 22.4)],
)
def test_oppositions_of_the_almanac(planet: str, moment: datetime, arcsec: float) -> None:
    assert disc_arcsec(planet, moment) == pytest.approx(arcsec, rel=0.01)


def test_planet_and_time_of_a_capture(tmp_path: Path) -> None:
    dated, undated = tmp_path / "Jup_1.ser", tmp_path / "Jup_2.ser"
    frames = np.zeros((2, 8, 8), np.uint8)
    write_ser(dated, frames, 8, np.array([1_733_600_000.0, 1_733_600_001.0]))
    write_ser(undated, frames, 8)
    found = planet_of(dated)
    assert found is not None
    assert (found[0], found[1].year) == ("Jupiter", 2024)
    assert planet_of(undated) is None, "the file's date may be a copy's"
    dated.rename(tmp_path / "Moon.ser")
    assert planet_of(tmp_path / "Moon.ser") is None
