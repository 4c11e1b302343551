"""Richardson-Lucy: sharper and nearer to the truth, with the light of the picture, and never less than the picture says."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.numerics.finishing.richardson_lucy import deconvolved, reblurred_chi2, same_light, shown_part
from tasks.numerics.finishing.transfer import Transfer
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]
F = np.linspace(0, 0.75, 300)
TELESCOPE = np.clip(1 - F / 0.45, 0, 1) ** 1.2
TRANSFER = Transfer(F, TELESCOPE, TELESCOPE * np.exp(-((F / 0.13) ** 2)))
SIGMA, BACKGROUND = 0.002, 0.1


def seen(sky: Image, curve: NDArray[np.float64]) -> Image:
    blurred = np.fft.irfft2(np.fft.rfft2(sky) * TRANSFER.on(curve, sky.shape), s=sky.shape)
    return (blurred + BACKGROUND).astype(np.float32)


def noisy(family: str) -> tuple[Image, Image, Image]:
    """(picture, truth, standard error) of a family."""
    sky = TARGETS[family](96, np.random.default_rng(5))
    noise = np.random.default_rng(6).normal(0, SIGMA, sky.shape).astype(np.float32)
    return seen(sky, TRANSFER.effective) + noise, seen(sky, TRANSFER.telescope), np.full(sky.shape, SIGMA, np.float32)


def error(picture: Image, truth: Image) -> float:
    return float(np.sqrt(np.mean((picture - truth)[12:-12, 12:-12] ** 2)))


@pytest.mark.parametrize("family", ["planet", "stars", "galaxy", "satellite"])
def test_nearer_to_the_truth_than_the_picture(family: str) -> None:
    picture, truth, sigma = noisy(family)
    found = deconvolved(picture, TRANSFER, sigma, BACKGROUND, 20)
    assert error(found.picture, truth) < 0.8 * error(picture, truth)
    assert float((found.picture - BACKGROUND).sum()) == pytest.approx(float((picture - BACKGROUND).sum()), rel=1e-3)


@pytest.mark.parametrize("family", ["moon", "sun"])
def test_a_target_that_fills_the_frame_has_no_edge(family: str) -> None:
    picture, truth, sigma = noisy(family)
    found = deconvolved(picture, TRANSFER, sigma, BACKGROUND, 10)
    assert error(found.picture, truth) < error(picture, truth)
    border = np.abs(found.picture - picture)
    assert border[:3].mean() < 3 * border[20:-20].mean()


@pytest.mark.parametrize("family", sorted(TARGETS))
def test_a_picture_that_lost_nothing_stays(family: str) -> None:
    """However fine the sky is that explains it, and however small its standard error is said to be."""
    sky = TARGETS[family](96, np.random.default_rng(5))
    picture = seen(sky, TELESCOPE) + np.random.default_rng(6).normal(0, SIGMA, sky.shape).astype(np.float32)
    for sigma in (SIGMA, SIGMA / 30):
        found = deconvolved(
            picture, Transfer(F, TELESCOPE, TELESCOPE), np.full(sky.shape, sigma, np.float32), BACKGROUND, 20
        )
        assert error(found.picture, picture) < 0.3 * SIGMA  # noise below black goes


@pytest.mark.parametrize("family", sorted(TARGETS))
def test_a_picture_that_lost_little_gains_or_stays(family: str) -> None:
    """The solve left out 5 % of the light at fine scales: no family of targets may lose by what is guessed of it."""
    sky = TARGETS[family](96, np.random.default_rng(5))
    kept = 1 - 0.05 * np.clip(F / 0.3, 0, 1)
    picture = seen(sky, TELESCOPE * kept) + np.random.default_rng(6).normal(0, SIGMA, sky.shape).astype(np.float32)
    truth = seen(sky, TELESCOPE)
    found = deconvolved(
        picture, Transfer(F, TELESCOPE, TELESCOPE * kept), np.full(sky.shape, SIGMA / 4, np.float32), BACKGROUND, 5
    )
    assert error(found.picture, truth) < 1.005 * error(picture, truth)


def test_it_stops_once_the_picture_is_explained() -> None:
    picture, _, sigma = noisy("planet")
    assert deconvolved(picture, TRANSFER, 100 * sigma, BACKGROUND, 50).iterations < 5
    assert deconvolved(picture, TRANSFER, sigma, BACKGROUND, 7).iterations <= 7


def test_chi2_tells_a_false_result() -> None:
    picture, truth, sigma = noisy("planet")
    right = reblurred_chi2(truth, picture, TRANSFER, sigma)
    assert right == pytest.approx(1.0, abs=0.35)
    assert reblurred_chi2(truth + 0.05 * np.roll(truth, 9, axis=1), picture, TRANSFER, sigma) > 3 * right


def test_strength_zero_is_the_picture_bit_by_bit() -> None:
    picture, truth, _ = noisy("stars")
    assert shown_part(picture, truth, 0.0).tobytes() == picture.tobytes()
    half, whole = (np.abs(shown_part(picture, truth, s) - picture).sum() for s in (0.5, 1.0))
    assert half == pytest.approx(whole / 2, rel=1e-3)


def test_empty_and_flat_pictures_do_no_harm() -> None:
    flat = np.full((40, 50), 3.0, np.float32)
    found = deconvolved(flat, TRANSFER, np.zeros_like(flat), 3.0, 10)
    assert np.isfinite(found.picture).all()
    assert np.allclose(found.picture, flat, atol=1e-3)
    assert same_light(flat, flat, 5.0).tobytes() == flat.tobytes()


def test_a_psf_that_is_too_wide_makes_nothing_darker_than_black() -> None:
    sky = TARGETS["stars"](96, np.random.default_rng(5))
    noise = np.random.default_rng(6).normal(0, SIGMA, sky.shape).astype(np.float32)
    picture = seen(sky, TELESCOPE) + noise
    found = deconvolved(picture, TRANSFER, np.full(sky.shape, SIGMA, np.float32), BACKGROUND, 20)
    assert found.picture.min() > min(float(picture.min()), BACKGROUND) - 3 * SIGMA


@pytest.mark.parametrize("family", ["planet", "moon", "stars"])
def test_what_noise_could_change_changes_no_more_than_that(family: str) -> None:
    """No structure is made of a change within the standard error: random ones, and the one that grows the most."""
    picture, _, sigma = noisy(family)
    before = deconvolved(picture, TRANSFER, sigma, BACKGROUND, 5).picture
    rng = np.random.default_rng(8)
    change = rng.normal(0, SIGMA, picture.shape).astype(np.float32)
    growth = []
    for _ in range(10):
        after = deconvolved(picture + change, TRANSFER, sigma, BACKGROUND, 5).picture - before
        growth.append(float(np.linalg.norm(after) / np.linalg.norm(change)))
        change = (after * np.float32(np.linalg.norm(change) / np.linalg.norm(after))).astype(
            np.float32
        )  # power iteration
    assert max(growth) < 3
    assert 0.5 < growth[0] < 1.5
