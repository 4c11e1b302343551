"""A round's inputs are opened together, lazily, and closed together."""

from typing import Any

import numpy as np
import pytest

from storage.product import Product
from tasks.products.inputs import open_inputs
from tasks.running.step import Work


def test_inputs_are_those_of_the_capture_and_close_together(planet: Any) -> None:
    work = Work(planet.run, Product("test", "0" * 32), {}, "test")
    with open_inputs(work, planet.inputs) as opened:
        assert opened.clean.shape == (32, 1, 64, 64)
        np.testing.assert_array_equal(opened.stack.order[:], planet.read(planet.stack, "order"))
        assert float(opened.seeing.d_over_r0[0]) > 0
        bad = opened.mean.bad
    with pytest.raises((ValueError, RuntimeError)):
        bad[0]
