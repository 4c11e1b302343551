"""The cut-off of a channel: from the telescope where it is known, else from the frames, else the pixels' own."""

from dataclasses import replace

import numpy as np
import pytest

from configs.schema import Telescope
from storage.errors import Hopeless
from tasks.numerics.optics.aperture import Aperture
from tasks.products.contents import Mean, Stack
from tasks.products.optics import aperture_of, check_wavelengths, cutoff_cpp, cutoff_log_sigma, max_modes, obstruction


def average(optical_cutoff: float = 0.31) -> Mean:
    """An average product whose frames show this cut-off."""
    picture, frame = np.zeros((1, 2, 2), np.float32), np.zeros((4, 1), np.float32)
    return Mean(picture, picture, picture > 0, frame, frame, optical_cutoff, 0.1, np.zeros(1), 1, 2.0)


def telescope(scale_arcsec: float = 0.18) -> Telescope:
    return Telescope(
        aperture_m=0.25, obstruction=0.33, pixel_scale_arcsec=scale_arcsec, wavelength_nm=(650.0, 550.0, 450.0)
    )


def test_cutoff_is_aperture_over_wavelength() -> None:
    expected = 0.25 / 550e-9 * np.radians(0.18 / 3600)
    assert cutoff_cpp(telescope(), 1, average()) == pytest.approx(expected, rel=1e-5)


def test_blue_sees_finer_than_red_and_half_the_scale_half_the_frequency() -> None:
    red, green, blue = (cutoff_cpp(telescope(), c, average()) for c in range(3))
    assert red < green < blue
    assert blue / red == pytest.approx(650 / 450)
    assert cutoff_cpp(telescope(0.09), 1, average()) == pytest.approx(green / 2)
    assert cutoff_cpp(telescope(), 5, average()) == blue  # the last wavelength serves what follows


def test_nyquist_sampling_is_half_a_cycle_per_pixel() -> None:
    nyquist = float(np.degrees(550e-9 / 0.5) * 3600)
    assert cutoff_cpp(telescope(nyquist), 1, average()) == pytest.approx(0.5, rel=1e-5)


def test_the_pixels_hold_no_more_than_half_a_cycle() -> None:
    assert [cutoff_cpp(telescope(2.0), c, average()) for c in range(3)] == [0.5] * 3


def test_unknown_telescope_takes_what_the_frames_show() -> None:
    assert cutoff_cpp(Telescope(), 0, average()) == 0.31
    assert cutoff_cpp(Telescope(), 0, average(0.6)) == 0.5


def test_a_cut_off_is_only_found_where_the_noise_is_white() -> None:
    each, numbers = np.zeros(4, np.float32), np.arange(4)
    picture, one = np.zeros((1, 2, 2), np.float32), np.ones(1)
    stack = Stack(picture, picture, numbers, numbers, each, each, each, each[:, None], each[:, None], one, one, 1.0)
    assert cutoff_log_sigma(telescope(), average(), stack) == 0.0
    assert cutoff_log_sigma(Telescope(), average(), stack) == 0.1
    assert cutoff_log_sigma(Telescope(), average(), replace(stack, noise_curve=np.ones((1, 3)))) > 0.3


def test_a_pupil_of_unknown_size_is_open() -> None:
    assert obstruction(telescope()) == 0.33
    assert obstruction(Telescope(obstruction=0.33)) == 0.0


@pytest.mark.parametrize(("told", "channels"), [((620.0, 530.0), 3), ((650.0, 550.0, 450.0), 1)])
def test_wavelengths_of_other_channels_are_refused_with_the_numbers(told: tuple[float, ...], channels: int) -> None:
    with pytest.raises(
        Hopeless, match=rf"{len(told)} wavelengths \({told[0]:g}, .* nm\), the capture {channels} channel"
    ):
        check_wavelengths(Telescope(wavelength_nm=told), channels)


@pytest.mark.parametrize(("told", "channels"), [(550.0, 3), ((550.0,), 3), ((650.0, 550.0, 450.0), 3)])
def test_one_wavelength_for_all_channels_or_one_for_each(told: float | tuple[float, ...], channels: int) -> None:
    check_wavelengths(Telescope(wavelength_nm=told), channels)
    with pytest.raises(Hopeless, match="4 wavelengths"):
        check_wavelengths(Telescope(wavelength_nm=(700.0, 600.0, 500.0, 400.0)), channels)


def test_an_aperture_is_no_wider_than_the_pixels_hold() -> None:
    fine = telescope(2.0)  # pixels far too coarse for the telescope
    assert aperture_of(fine, 1, average(), 64) == Aperture(32.0, 0.33)
    found = aperture_of(telescope(), 1, average(), 64)
    assert found.diameter_cells == pytest.approx(64 * cutoff_cpp(telescope(), 1, average()))
    assert aperture_of(Telescope(obstruction=0.33), 0, average(), 64) == Aperture(0.31 * 64, 0.0)


def test_modes_are_at_most_half_the_open_cells() -> None:
    assert max_modes(60, Aperture(32.0, 0.0)) == 60
    assert max_modes(10_000, Aperture(32.0, 0.0)) == int(np.pi / 4 * 32**2 / 2)
    assert max_modes(10_000, Aperture(32.0, 0.5)) == int(np.pi / 4 * 32**2 * 0.75 / 2)
    assert max_modes(100, Aperture(1.0, 0.0)) == 3
