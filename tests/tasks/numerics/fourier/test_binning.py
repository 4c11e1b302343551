"""Means of blocks of pixels."""

import numpy as np

from tasks.numerics.fourier.binning import binned


def test_means_of_blocks() -> None:
    pictures = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    assert binned(pictures, 2)[0].tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    assert binned(pictures, 1).dtype == np.float32
    assert (binned(pictures, 1) == pictures).all()
