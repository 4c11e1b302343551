"""Rounding to codes: the step is found, its noise is a twelfth of the step squared, and a posterised sky shows no noise."""

import numpy as np
import pytest

from tasks.numerics.frames.quantisation import code_step, rounding_noise, sky_noise_steps


@pytest.mark.parametrize(
    ("codes", "step"),
    [
        (np.array([3, 4, 9], np.uint8), 1),
        (np.array([64, 80, 128], np.uint16), 16),
        (np.array([10, 20, 50], np.int16), 10),
        (np.array([7, 7, 7], np.uint8), 1),
        (np.array([0.5, 1.5], np.float32), 0),
    ],
)
def test_the_step_of_the_codes(codes: np.ndarray, step: int) -> None:
    assert code_step(codes) == step


def test_rounding_leaves_a_twelfth_of_a_step_squared() -> None:
    light = np.random.default_rng(0).normal(200, 40, 100_000)
    for step in (1, 16):
        codes = np.rint(light / step).astype(np.int64) * step
        assert rounding_noise(codes, step) == pytest.approx(np.var(codes - light), rel=0.03)
    assert rounding_noise(light, 0) == 0


def test_where_codes_are_not_linear_their_steps_differ() -> None:
    response = np.linspace(0, 1, 256) ** 2.2 * 1000
    light = np.random.default_rng(0).uniform(200, 800, 100_000)
    codes = np.rint(255 * (light / 1000) ** (1 / 2.2)).astype(np.uint8)
    assert rounding_noise(codes, 1, response) == pytest.approx(np.var(response[codes] - light), rel=0.03)


def test_a_quiet_sky_is_posterised_and_a_noisy_one_is_not() -> None:
    dice = np.random.default_rng(0)
    sky = np.full((50, 20, 20), 12.2)
    sky[:, 5:15, 5:15] += 100 + dice.normal(0, 10, (50, 10, 10))
    quiet, loud = (np.rint(sky + dice.normal(0, sigma, sky.shape)).var(axis=0) for sigma in (0.05, 3.0))
    assert sky_noise_steps(quiet, 1) == 0
    assert 2 < sky_noise_steps(loud, 1) < 3.5
    assert sky_noise_steps(loud, 4) < 1
