"""The contract of every procedural sky, and what makes each the target it is named after."""

import numpy as np
import pytest

from tasks.numerics.simulator.targets import TARGETS

SIZE = 300
FRAME = slice(70, 230)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("size", [SIZE, 177])
def test_contract(name: str, size: int) -> None:
    sky = TARGETS[name](size, np.random.default_rng(1))
    assert sky.shape == (size, size)
    assert sky.dtype == np.float32
    assert np.isfinite(sky).all()
    assert sky.min() >= 0.0
    assert sky.max() == pytest.approx(1.0, abs=0.01)
    assert np.array_equal(sky, TARGETS[name](size, np.random.default_rng(1)))
    assert not np.array_equal(sky, TARGETS[name](size, np.random.default_rng(2)))


@pytest.mark.parametrize("name", ["moon", "sun"])
def test_extended_targets_fill_the_canvas(name: str) -> None:
    sky = TARGETS[name](SIZE, np.random.default_rng(1))
    border = np.concatenate([sky[:20].ravel(), sky[-20:].ravel(), sky[:, :20].ravel(), sky[:, -20:].ravel()])
    assert border.mean() == pytest.approx(sky.mean(), rel=0.3)
    assert border.std() > 0.4 * sky.std()


@pytest.mark.parametrize("name", ["planet", "satellite", "stars"])
def test_compact_targets_leave_the_border_dark(name: str) -> None:
    sky = TARGETS[name](SIZE, np.random.default_rng(1))
    inside = sky[FRAME, FRAME]
    assert inside.sum() > 0.98 * sky.sum()
    assert np.median(sky) < 1e-6


def test_planet_fills_nearly_half_the_frame() -> None:
    sky = TARGETS["planet"](SIZE, np.random.default_rng(1))
    # The equal-area diameter: 0.25 of the canvas by 0.935 of it, oblate.
    diameter = 2 * np.sqrt((sky > 0.1).sum() / np.pi)
    assert diameter / SIZE == pytest.approx(0.25 * np.sqrt(0.935), rel=0.05)


@pytest.mark.parametrize("name", ["planet", "moon", "sun", "satellite", "stars"])
def test_detail_reaches_the_finest_frequencies(name: str) -> None:
    sky = TARGETS[name](SIZE, np.random.default_rng(1))
    power = np.abs(np.fft.fft2(sky - sky.mean())) ** 2
    f = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    fine, coarse = power[(f > 0.3) & (f < 0.45)].mean(), power[(f > 0.01) & (f < 0.05)].mean()
    assert fine > 1e-5 * coarse
