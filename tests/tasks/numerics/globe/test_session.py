"""Skies of a session become one that knows more than each of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from tasks.numerics.globe.ring_means import rings_of
from tasks.numerics.globe.session import Plane as SessionPlane
from tasks.numerics.globe.session import SkyPart, combined, filled, merged, ring_weights, standard_error
from tasks.numerics.globe.spheroid import View
from tests.tasks.numerics.globe.conftest import Film

VIEW = View((35.5, 36.0), 27.0, 0.065, 3.0, 100.0, 30.0)
NOISE = 0.05


def parts_of(film: Film, degrees: float, count: int = 6) -> list[SkyPart]:
    """Pictures over `degrees` of rotation, each a little off its measured place, Wiener-filtered as skies are."""
    parts = []
    for k in range(count):
        view = VIEW.turned(degrees * (k / (count - 1) - 0.5)).moved(0.3 * (-1) ** k, 0.2)
        picture, known = wiener(film(view, NOISE, k))
        error = np.full_like(picture, NOISE / 2)
        parts.append(
            SkyPart(
                picture[None],
                picture[None],
                error[None],
                view.moved(-0.3 * (-1) ** k, -0.2),
                known[None],
                sigma_of(known),
            )
        )
    return parts


def sigma_of(known: np.ndarray, sigma: float = 0.0) -> np.ndarray:
    """(channel, ring) standard deviation of the logarithm of an amplitude, growing with the frequency."""
    return sigma * np.linspace(0.0, 2.0, len(known))[None]


def wiener(picture: np.ndarray, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """The picture with each ring multiplied by the share of its power that is no noise, and that share."""
    number = np.rint(np.hypot(np.fft.fftfreq(72)[:, None], np.fft.rfftfreq(72)[None]) * 72).astype(int)
    spectrum = np.fft.rfft2(picture)
    power = np.bincount(number.ravel(), (np.abs(spectrum) ** 2).ravel()) / np.bincount(number.ravel())
    share = ndimage.uniform_filter1d(1 - noise**2 * 72**2 / power, 5).clip(0.01, 1)
    return np.fft.irfft2(share[number] * spectrum, s=(72, 72)).astype(np.float32), share[:37]


def loss(picture: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((picture - truth) ** 2).mean()))


def test_a_session_is_better_than_its_best_part_and_than_the_mean_that_ignores_the_rotation(film: Film) -> None:
    parts, truth = parts_of(film, 12.0), film(VIEW.moved(0.0, 0.2), 0.0, 0)
    result = merged(parts, VIEW, 0.75)
    single = min(loss(p.picture[0], film(VIEW.turned(12.0 * (k / 5 - 0.5)).moved(0.3 * (-1) ** k, 0.2), 0.0, 0))
                 for k, p in enumerate(parts))  # fmt: skip
    middle = np.mean([p.picture[0] for p in parts], axis=0)
    still, _ = wiener(film(VIEW.moved(0.0, 0.2), NOISE / np.sqrt(6), 9), NOISE / np.sqrt(6))
    assert loss(result.picture[0], truth) < 1.1 * loss(still, truth), "as six times the light without rotation"
    assert loss(result.picture[0], truth) < 0.6 * single
    assert loss(result.picture[0], truth) < 0.8 * loss(middle, truth)
    assert result.weights.shape[:2] == (6, 1)
    assert np.ptp(result.moves_px[:, 0]) == pytest.approx(0.6, abs=0.15), "the discs were measured 0.3 px off"


def test_amplitudes_that_seeing_told_wrong_are_averaged_as_noise_is(film: Film) -> None:
    """Each sky's amplitude is wrong by a tenth and more: by far the largest error of a single sky."""
    wrong = np.random.default_rng(5).normal(0, 0.12, 6)
    parts, truth = [], film(VIEW.moved(0.0, 0.2), 0.0, 0)
    ring = rings_of(truth.shape)
    for part, error in zip(parts_of(film, 12.0), wrong - wrong.mean(), strict=True):
        gain = np.exp(error * np.interp(np.arange(ring.max() + 1) / 72, np.linspace(0, 0.5, 37), np.linspace(0, 2, 37)))
        picture = np.fft.irfft2(np.fft.rfft2(part.picture[0]) * gain[ring], s=truth.shape)[None].astype(np.float32)
        parts.append(replace(part, picture=picture, amplitude_sigma=sigma_of(part.known[0], 0.12)))
    right = merged(parts_of(film, 12.0), VIEW, 0.75)
    assert loss(merged(parts, VIEW, 0.75).picture[0], truth) < 1.1 * loss(right.picture[0], truth)


def test_what_came_into_view_later_is_taken_from_those_that_saw_it(film: Film) -> None:
    parts = parts_of(film, 60.0)
    result = merged(parts, VIEW, 0.75)
    assert loss(result.picture[0], film(VIEW.moved(0.0, 0.2), 0.0, 0)) < 0.05
    assert np.isfinite(result.error).all()
    assert (result.error > 0).all()


def test_a_part_of_less_light_enters_as_bright_as_the_others(film: Film) -> None:
    parts = parts_of(film, 12.0)
    dim = replace(parts[2], picture=0.7 * parts[2].picture, stack=0.7 * parts[2].stack)
    result = merged([*parts[:2], dim, *parts[3:]], VIEW, 0.75)
    assert loss(result.picture[0], film(VIEW.moved(0.0, 0.2), 0.0, 0)) < 0.035


def test_rings_are_taken_from_the_part_that_knows_them() -> None:
    rng = np.random.default_rng(0)
    sky = rng.standard_normal((32, 32))
    planes = np.stack([sky + 0.1 * rng.standard_normal((32, 32)), 0.1 * (sky + 3 * rng.standard_normal((32, 32)))])
    known = np.stack([np.full(17, 0.99), np.full(17, 0.1)])
    weights = ring_weights(planes, known)
    assert (weights[0, 4:15] > 3 * weights[1, 4:15]).all()


def test_equal_parts_that_know_everything_are_averaged() -> None:
    rng = np.random.default_rng(0)
    sky = rng.standard_normal((48, 48))
    planes = sky + 0.02 * rng.standard_normal((4, 48, 48))
    weights = ring_weights(planes, np.full((4, 25), 0.999))
    np.testing.assert_allclose(weights[:, 4:20], 0.25, atol=0.06)
    np.testing.assert_allclose(combined(planes, weights), planes.mean(0), atol=0.04)


def test_what_no_part_knows_is_an_equal_mean() -> None:
    planes = np.random.default_rng(0).standard_normal((2, 32, 32))
    weights = ring_weights(planes, np.zeros((2, 17)))
    np.testing.assert_allclose(weights[:, 3:], 0.5)


def test_attenuated_parts_together_give_more_of_the_sky_than_each() -> None:
    """Ten skies that each know a tenth of a ring's power hold half of it together, and show half of the amplitude."""
    rng = np.random.default_rng(0)
    sky = rng.standard_normal((64, 64))
    noisy = sky + 3 * rng.standard_normal((10, 64, 64))
    weights = ring_weights(0.1 * noisy, np.full((10, 33), 0.1))
    together = combined(0.1 * noisy, weights)
    gain = float((together * sky).mean() / (sky**2).mean())
    assert gain == pytest.approx(10 / 19, abs=0.15)


def test_unseen_surface_is_filled_by_belief() -> None:
    one = SessionPlane(np.full((2, 2), 1.0), np.full((2, 2), 9.0), np.zeros((2, 2)), np.ones((2, 2)))
    two = SessionPlane(np.full((2, 2), 3.0), np.full((2, 2), 9.0), np.ones((2, 2)), np.ones((2, 2)))
    result = filled([one, two], np.ones(2), [1.0, 1.0])
    np.testing.assert_allclose(result, 3.0, rtol=2e-3)


def test_the_standard_error_follows_the_scatter_of_the_parts() -> None:
    rng = np.random.default_rng(0)
    planes = rng.standard_normal((8, 40, 40))
    error = standard_error(planes, planes.mean(0), np.full((8, 40, 40), 0.01))
    assert float(error.mean()) == pytest.approx(8**-0.5, rel=0.1)
    assert float(standard_error(planes[:1], planes[0], np.full((1, 40, 40), 0.2)).mean()) == pytest.approx(0.2)
