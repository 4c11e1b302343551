"""Robust scatter: that of a Gaussian, whatever a few outliers do."""

import numpy as np
import pytest

from tasks.numerics.robust import mad_sigma


def test_it_is_the_standard_deviation_of_a_gaussian_despite_outliers() -> None:
    values = np.random.default_rng(0).normal(7, 3, 20000)
    values[:200] = 1e6
    assert mad_sigma(values) == pytest.approx(3, rel=0.04)
