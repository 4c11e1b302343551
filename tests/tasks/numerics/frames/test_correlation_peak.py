"""The maximum between samples: exact for a quadric, near it for a correlation."""

import numpy as np
import pytest

from tasks.numerics.frames.correlation_peak import near_peak, quadric_vertex


def test_the_vertex_of_a_quadric_is_exact():
    y, x = np.mgrid[-1:2, -1:2].astype(float)
    step, height = quadric_vertex(5 - (y - 0.3) ** 2 - 2 * (x + 0.2) ** 2)
    assert np.allclose(step, [0.3, -0.2])
    assert height == pytest.approx(5)


def test_the_highest_allowed_lag_is_found_and_wraps_around():
    y, x = np.meshgrid(np.fft.fftfreq(16, 1 / 16), np.fft.fftfreq(20, 1 / 20), indexing="ij")
    surface = (9 - (y + 2.3) ** 2 - (x - 1.2) ** 2).astype(np.float32)
    allowed = np.ones(surface.shape, bool)
    assert np.allclose(near_peak(surface, allowed), [-2.3, 1.2], atol=1e-5)
    surface[8, 10] = 1000
    allowed[8, 10] = False
    assert np.allclose(near_peak(surface, allowed), [-2.3, 1.2], atol=1e-5)


def test_noise_without_a_maximum_stays_at_the_sample():
    step, height = quadric_vertex(np.array([[1.0, 0, 1], [0, 0, 0], [1, 0, 1]]))
    assert np.allclose(step, 0)
    assert height == 0
