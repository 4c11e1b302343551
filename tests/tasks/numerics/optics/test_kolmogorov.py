"""Mode variances of Kolmogorov turbulence against the published ones."""

import numpy as np
import pytest

from tasks.numerics.optics.kolmogorov import noll_variances, phase_sigma


def test_noll_variances_add_up_to_the_known_residuals() -> None:
    variances = noll_variances(1000)
    assert variances[:2] == pytest.approx(0.448, abs=0.002)
    assert variances[2:5] == pytest.approx(0.0232, abs=0.0002)
    assert variances[5:9] == pytest.approx(0.00619, abs=0.00005)
    # Noll 1976: 1.0299 in all, 0.134 with tip and tilt removed.
    assert variances.sum() == pytest.approx(1.0299, abs=0.002)
    assert variances[2:].sum() == pytest.approx(0.134, abs=0.002)
    assert np.all(np.diff(variances) <= 0)


def test_noll_variances_need_a_mode() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        noll_variances(0)


def test_phase_sigma_grows_with_the_seeing() -> None:
    variance = phase_sigma(20, 8.0) ** 2
    np.testing.assert_allclose(variance / noll_variances(20), 8.0 ** (5 / 3), rtol=1e-5)
    assert variance[0] == pytest.approx(0.448 * 32, rel=0.01)
