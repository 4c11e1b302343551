"""The wavelet layers add up, and each holds its own scale."""

import numpy as np

from tasks.numerics.finishing.wavelets import layers_of, with_factors


def test_layers_add_up_to_the_picture() -> None:
    picture = np.random.default_rng(1).random((48, 40), np.float32)
    layers, rest = layers_of(picture, 5)
    np.testing.assert_allclose(sum(layers) + rest, picture, atol=1e-5)


def test_factors_of_one_leave_it_bit_by_bit_and_fine_factors_leave_coarse_structure() -> None:
    x = np.arange(64)
    fine, coarse = np.cos(2 * np.pi * x / 3), np.cos(2 * np.pi * x / 32)
    picture = np.tile((fine + coarse).astype(np.float32), (64, 1))
    assert with_factors(picture, (1.0, 1.0)) is picture
    power = np.abs(np.fft.fft(with_factors(picture, (2.0,))[32]))
    assert power[21] > 1.4 * np.abs(np.fft.fft(picture[32]))[21]
    assert power[2] < 1.02 * np.abs(np.fft.fft(picture[32]))[2]
