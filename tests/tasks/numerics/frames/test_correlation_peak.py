"""The maximum between samples: exact for a quadric, near it for a correlation."""

import numpy as np
import pytest

from tasks.numerics.frames.correlation_peak import near_peaks, quadric_vertices


def test_the_vertex_of_a_quadric_is_exact():
    y, x = np.mgrid[-1:2, -1:2].astype(float)
    (step,), (height,) = quadric_vertices((5 - (y - 0.3) ** 2 - 2 * (x + 0.2) ** 2)[None])
    assert np.allclose(step, [0.3, -0.2])
    assert height == pytest.approx(5)


def test_the_highest_allowed_lag_is_found_and_wraps_around():
    y, x = np.meshgrid(np.fft.fftfreq(16, 1 / 16), np.fft.fftfreq(20, 1 / 20), indexing="ij")
    surface = (9 - (y + 2.3) ** 2 - (x - 1.2) ** 2).astype(np.float32)
    allowed = np.ones(surface.shape, bool)
    assert np.allclose(near_peaks(surface[None], allowed)[0, 0], [-2.3, 1.2], atol=1e-5)
    surface[8, 10] = 1000
    allowed[8, 10] = False
    assert np.allclose(near_peaks(surface[None], allowed)[0, 0], [-2.3, 1.2], atol=1e-5)


def test_noise_without_a_maximum_stays_at_the_sample():
    (step,), (height,) = quadric_vertices(np.array([[[1.0, 0, 1], [0, 0, 0], [1, 0, 1]]]))
    assert np.allclose(step, 0)
    assert height == 0


def test_the_second_peak_stands_apart_from_the_first():
    y, x = np.mgrid[:32, :32]
    surfaces = sum(h * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8) for h, a, b in ((3, 6, 5), (2, 20, 12)))
    found = near_peaks(np.stack([surfaces, surfaces.T]).astype(np.float32), np.ones((32, 32), bool), 2)
    np.testing.assert_allclose(found[0], [[6, 5], [-12, 12]], atol=0.01)
    np.testing.assert_allclose(found[1], [[5, 6], [12, -12]], atol=0.01)
