"""Phase screens: Kolmogorov's structure function, and the wind's speed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.optics.screens import evaluate_waves, periodic_screen, pupil_phases, slow_waves

Curve = NDArray[np.float64]


def _structure(subharmonics: int, outer_scale_px: float, rng: np.random.Generator) -> tuple[Curve, Curve]:
    lags = np.array([2, 4, 8, 16, 32, 64])
    measured = np.zeros(len(lags))
    for _ in range(80):
        screen = periodic_screen((128, 128), 8.0, outer_scale_px, rng)
        waves = slow_waves((128, 128), 8.0, outer_scale_px, rng, subharmonics)
        screen = screen + evaluate_waves(waves, (128, 128), (0.0, 0.0))
        for i, lag in enumerate(lags):
            across, down = screen[:, lag:] - screen[:, :-lag], screen[lag:] - screen[:-lag]
            measured[i] += (np.mean(across**2) + np.mean(down**2)) / 2 / 80
    return measured, 6.88 * (lags / 8) ** (5 / 3)


def test_screens_follow_kolmogorov_at_every_separation() -> None:
    rng = np.random.default_rng(0)
    measured, theory = _structure(8, np.inf, rng)
    assert measured / theory == pytest.approx(1.0, abs=0.12)


def test_screens_without_subharmonics_or_with_small_eddies_lack_slow_power() -> None:
    rng = np.random.default_rng(0)
    bare, theory = _structure(0, np.inf, rng)
    assert bare[-1] < 0.6 * theory[-1]
    # Von Karman at 64 cells for an outer scale of 500: 0.29 of Kolmogorov, by numerical integration.
    bounded, theory = _structure(5, 500.0, rng)
    assert bounded[-1] / theory[-1] == pytest.approx(0.29, abs=0.04)


def test_wind_shifts_the_pattern_at_its_speed() -> None:
    # 7 cells per second along +x and -4 along y: after one second the pattern has moved by whole cells.
    first, later = pupil_phases(32, 5.0, 2000.0, [(1.0, -4.0, 7.0)], np.array([0.0, 1.0]), np.random.default_rng(3))
    assert later[:-4, 7:] == pytest.approx(first[4:, :-7], abs=1e-3)


def test_interpolation_between_cells_keeps_the_fine_structure() -> None:
    still, half = pupil_phases(64, 8.0, 2000.0, [(1.0, 0.5, 0.5)], np.array([0.0, 1.0]), np.random.default_rng(3))
    rough = [np.mean(np.diff(phase, axis=1) ** 2) for phase in (still, half)]
    assert rough[1] == pytest.approx(rough[0], rel=0.25)
    assert still[1:-1, 1:-1] != pytest.approx(half[1:-1, 1:-1], abs=1e-3)


def test_layers_share_the_turbulence() -> None:
    def power(layers: list[tuple[float, float, float]]) -> float:
        times = np.arange(40.0)
        phases = pupil_phases(32, 8.0, 500.0, layers, times, np.random.default_rng(1))
        return float(np.mean([np.mean((p[:, 8:] - p[:, :-8]) ** 2) for p in phases]))

    one, three = power([(1.0, 60.0, 0.0)]), power([(5.5, 60.0, 0.0), (3.0, 0.0, 70.0), (1.5, 50.0, 50.0)])
    assert three == pytest.approx(one, rel=0.25)


def test_layers_without_turbulence_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        next(pupil_phases(32, 8.0, 500.0, [], np.zeros(1), np.random.default_rng(0)))
