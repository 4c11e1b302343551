"""Noise is learned where frames hold nothing else, and a capture of coloured noise is solved better with its curve."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import tasks.shift_average
from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.results.truth import beside, truth_beside
from tasks.benchmark.simulate import simulate
from tasks.numerics.fourier.rings import radius
from tasks.numerics.frames.noise_curve import FREQUENCIES_CPP, LearntNoise, learn_noise, whitened, whitener
from tasks.numerics.judging.metrics import psnr

SIZE, COUNT, SIGMA = 128, 60, 3.0


def colour(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise power over frequency as a coder leaves it: falling, with a floor."""
    return np.exp(-((frequency / 0.35) ** 2)) + 0.05


def noise(shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    """Noise of that colour."""
    white = np.random.default_rng(seed).normal(0, SIGMA, shape)
    spectrum = np.fft.rfft2(white) * np.sqrt(colour(radius((shape[-2], shape[-1]))))
    return np.asarray(np.fft.irfft2(spectrum, s=shape[-2:]))


def frames(seed: int, coloured: bool) -> NDArray[np.float32]:
    """A trembling disc without fine structure, and noise."""
    dice = np.random.default_rng(seed)
    y, x = np.indices((SIZE, SIZE)) - SIZE // 2
    disc = 100.0 * (np.hypot(y, x) < 30)
    light = np.stack([gaussian_filter(disc, 2.5 + 0.3 * dice.random()) for _ in range(COUNT)])
    shape = (COUNT, SIZE, SIZE)
    return np.float32(light + (noise(shape, seed) if coloured else dice.normal(0, SIGMA, shape)))


def learnt(coloured: bool) -> LearntNoise:
    blocks = (part for part in np.split(frames(1, coloured), 6))
    return learn_noise(blocks, COUNT, float(SIZE**2))


def test_white_noise_has_no_curve() -> None:
    found = learnt(coloured=False)
    assert found.curve is None
    assert 1 <= found.ratio < 1.2


def test_coloured_noise_is_found_within_fifteen_per_cent() -> None:
    found = learnt(coloured=True)
    assert found.curve is not None
    assert found.ratio > 1.5
    noise_only = (FREQUENCIES_CPP > 0.2) & (FREQUENCIES_CPP < 0.68)
    wanted = SIGMA**2 * colour(FREQUENCIES_CPP)
    np.testing.assert_allclose(found.curve[noise_only], wanted[noise_only], rtol=0.15)
    below = found.curve[FREQUENCIES_CPP < 0.1]
    assert (below < 3 * wanted[0]).all(), "the motion of the air is not taken for noise"


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_frames_are_no_reason_to_see_colours(count: int) -> None:
    white = np.random.default_rng(2).normal(0, 1, (count, SIZE, SIZE)).astype(np.float32)
    found = learn_noise([white], count, float(SIZE**2))
    assert found.curve is None


def test_identical_frames_have_no_curve_that_is_zero() -> None:
    still = np.repeat(frames(1, True)[:1], 10, axis=0)
    found = learn_noise([still], 10, float(SIZE**2))
    assert found.curve is None or (found.curve > 0).all()


def test_whitened_noise_is_white_and_no_louder_than_the_least() -> None:
    curve = SIGMA**2 * colour(FREQUENCIES_CPP)
    out = whitened(noise((8, 64, 96), 3).astype(np.float32), curve)
    power = (np.abs(np.fft.rfft2(out * np.hanning(64)[:, None] * np.hanning(96))) ** 2).mean(0)
    frequency = radius((64, 96))
    bands = [power[(frequency > low) & (frequency <= low + 0.1)].mean() for low in (0.1, 0.2, 0.3, 0.4)]
    np.testing.assert_allclose(bands, np.mean(bands), rtol=0.2)
    assert whitener(curve, (64, 96)).max() == pytest.approx(1, rel=1e-3)
    assert out.var() == pytest.approx(curve.min(), rel=0.2)


def test_a_capture_of_coloured_noise_is_solved_better_with_its_curve(
    planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = tmp_path / "still.ser"
    shape = {"n_frames": 32, "size_px": 64, "photons_peak": 1e6, "fps": 20.0, "seed": 3, "bits": 16, "d_over_r0": 4.0}
    simulate(still, shape, "planet")
    with open_capture(still) as reader:
        light = np.concatenate(list(reader.blocks(16)))[:, 0].astype(np.float64)
    step = 0.02 * np.percentile(light, 99.9) / SIGMA
    film = tmp_path / "film.ser"
    write_ser(film, np.clip(np.rint(light + 2000 + step * noise(light.shape, 4)), 0, 65535).astype(np.uint16), 16)
    truth = truth_beside(still)
    assert truth is not None

    def solved(root: str) -> tuple[Any, float]:
        filmed = type(planet)(film, tmp_path / root, optics=beside(still)["config"])
        return filmed, psnr(truth[0], filmed.read(filmed.sky, "sky")[0])

    with_curve, better = solved("with")
    assert with_curve.read(with_curve.stack, "noise_ratio")[0] > 1.5
    monkeypatch.setattr(tasks.shift_average, "learn_noise", lambda *given: LearntNoise(None, 1.0))
    _, worse = solved("without")
    assert better > worse + 1.0
