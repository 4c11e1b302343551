"""A map drawn on a globe."""

import numpy as np
import pytest

from tasks.numerics.globe.spheroid import View
from tasks.numerics.simulator.globes import globe

VIEW = View((20.0, 20.0), 14.0, 0.065, 0.0, 90.0, 0.0)


def test_a_spot_of_the_map_stands_where_its_longitude_is() -> None:
    surface = np.ones((90, 180))
    surface[44:46, 44:47] = 8.0  # equator, 90 degrees west: the central meridian
    middle = globe(surface, VIEW, 40)
    assert np.unravel_index(int(middle.argmax()), middle.shape) == (pytest.approx(20, abs=1), pytest.approx(20, abs=1))
    later = globe(surface, VIEW.turned(30), 40)
    assert int(later.max(axis=0).argmax()) == pytest.approx(20 + 14 * 0.5, abs=1), "it moved to the west, to the right"


def test_the_disc_is_dark_outside_and_darker_at_its_limb() -> None:
    sky = globe(np.ones((90, 180)), VIEW, 40)
    assert sky[2, 2] == 0
    assert sky[20, 20] > 1.5 * sky[20, 32] > 0
