"""Transforms agree with numpy's, there and back."""

import numpy as np
import pytest

from tasks.numerics.frames.spectra import irfft2, rfft2


@pytest.mark.parametrize("size", [(16, 20), (15, 21)])
def test_transforms_are_numpys(size: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).normal(size=(3, 2, *size)).astype(np.float32)
    spectra = rfft2(pictures[::-1])
    assert spectra.dtype == np.complex64
    np.testing.assert_allclose(spectra, np.fft.rfft2(pictures[::-1]), atol=1e-4)
    back = irfft2(spectra, size)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, pictures[::-1], atol=1e-5)
