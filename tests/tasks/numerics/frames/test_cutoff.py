"""The cut-off of an unknown telescope is found where the frames show it, and what is usual is taken where they do not."""

import numpy as np
import pytest
import torch

from tasks.numerics.fourier.windows import edge_taper
from tasks.numerics.frames.cutoff import FOUND_LOG_SIGMA, NOT_FOUND, estimate_cutoff
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import otfs, pupil_in_air

N, FRAMES = 96, 40


def frames(cutoff: float, noise: float, seed: int = 0) -> np.ndarray:
    """Frames (frame, y, x) of a few hundred stars through turbulence of D/r0 4; the brightest light is of order one."""
    rng = np.random.default_rng(seed)
    sky = np.where(rng.random((N, N)) < 0.04, rng.random((N, N)), 0)
    pupil = pupil_in_air(N, Aperture(cutoff * N, 0.0), 60, 4.0)
    phases = torch.from_numpy(rng.normal(size=(FRAMES, 60)) * phase_sigma(60, 4.0)).float()
    light = np.fft.irfft2(np.fft.rfft2(sky) * otfs(pupil, phases).numpy(), s=(N, N))
    return np.asarray(light + rng.normal(0, noise, light.shape))


def power(pictures: np.ndarray) -> np.ndarray:
    """Mean power of tapered frames."""
    middle = pictures.mean((1, 2), keepdims=True)
    return np.asarray((np.abs(np.fft.rfft2((pictures - middle) * edge_taper((N, N)))) ** 2).mean(0))


@pytest.mark.parametrize("cutoff", [0.22, 0.3, 0.45])
def test_the_cut_off_of_bright_targets_is_found(cutoff: float) -> None:
    found = estimate_cutoff(power(frames(cutoff, 3e-4)), (N, N), FRAMES)
    assert found.log_sigma < FOUND_LOG_SIGMA
    assert abs(np.log(found.cutoff_cpp / cutoff)) < 2.5 * found.log_sigma


def test_noise_hides_the_cut_off_and_the_usual_one_is_taken() -> None:
    found = estimate_cutoff(power(frames(0.22, 0.05)), (N, N), FRAMES)
    assert found.log_sigma > FOUND_LOG_SIGMA
    assert 0.2 < found.cutoff_cpp < 0.45  # not where the light is lost in the noise


def test_noise_alone_says_nothing() -> None:
    noise = np.random.default_rng(8).normal(size=(FRAMES, N, N))
    assert estimate_cutoff(power(noise), (N, N), FRAMES) == NOT_FOUND
    assert estimate_cutoff(np.zeros((N, N // 2 + 1)), (N, N), FRAMES) == NOT_FOUND


def test_coloured_noise_is_no_cut_off() -> None:
    f = np.hypot(np.fft.fftfreq(N)[:, None], np.fft.rfftfreq(N)[None])
    coder = np.exp(-((f / 0.35) ** 2))  # leaves less and less of the fine noise
    noise = np.fft.irfft2(np.fft.rfft2(frames(0.3, 0.01)) * coder, s=(N, N))
    assert estimate_cutoff(power(noise), (N, N), FRAMES) == NOT_FOUND


def test_hot_pixels_and_the_noise_of_rows_move_it_little() -> None:
    rng = np.random.default_rng(3)
    spoiled = frames(0.3, 3e-4) + rng.normal(0, 1e-3, (FRAMES, N, 1))
    spoiled[:, rng.integers(0, N, 10), rng.integers(0, N, 10)] += 5e-3
    found = estimate_cutoff(power(spoiled), (N, N), FRAMES)
    assert found.cutoff_cpp == pytest.approx(0.3, rel=0.2)


def test_pixels_hold_no_more_than_half_a_cycle() -> None:
    assert estimate_cutoff(power(frames(0.5, 3e-4)), (N, N), FRAMES).cutoff_cpp <= 0.5
