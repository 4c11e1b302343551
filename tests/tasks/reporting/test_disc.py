"""The scale of a planet's disc is compared with the one that was given."""

from pathlib import Path

import numpy as np
import pytest

from storage.captures.readers.ser import write_ser
from tasks.numerics.simulator.targets import planet
from tasks.reporting.disc import disc_scale


@pytest.mark.parametrize(
    ("given", "word"), [(None, "was not given"), (0.755, "as was given"), (0.5, "check focal length")]
)
def test_given_scale_is_checked(tmp_path: Path, given: float | None, word: str) -> None:
    capture = tmp_path / "Jupiter.ser"
    write_ser(capture, np.zeros((2, 8, 8), np.uint8), 8, np.array([1_733_600_000.0, 1_733_600_001.0]))
    sky = planet(256, np.random.default_rng(3))[None]
    found = disc_scale(sky, capture, given)
    assert found is not None
    assert found["scale_arcsec"] == pytest.approx(48.2 / 64, rel=0.03)
    assert word in found["sentence"]
    assert disc_scale(np.zeros_like(sky), capture, given) is None
