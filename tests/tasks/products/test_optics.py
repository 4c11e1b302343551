"""The cut-off of a channel: from the telescope where it is known, else from the frames, else the pixels' own."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from configs.schema import Telescope
from storage.errors import Hopeless
from tasks.products.optics import check_wavelengths, cutoff_cpp, obstruction


@dataclass
class Average:
    """Stands for the open average product."""

    attrs: dict[str, float] = field(default_factory=lambda: {"optical_cutoff": 0.31})


def telescope(scale_arcsec: float = 0.2) -> Telescope:
    return Telescope(
        aperture_m=0.25, obstruction=0.33, pixel_scale_arcsec=scale_arcsec, wavelength_nm=(650.0, 550.0, 450.0)
    )


def test_cutoff_is_aperture_over_wavelength() -> None:
    expected = 0.25 / 550e-9 * np.radians(0.2 / 3600)
    assert cutoff_cpp(telescope(), 1, Average()) == pytest.approx(expected, rel=1e-5)


def test_blue_sees_finer_than_red_and_half_the_scale_half_the_frequency() -> None:
    red, green, blue = (cutoff_cpp(telescope(), c, Average()) for c in range(3))
    assert red < green < blue
    assert blue / red == pytest.approx(650 / 450)
    assert cutoff_cpp(telescope(0.1), 1, Average()) == pytest.approx(green / 2)
    assert cutoff_cpp(telescope(), 5, Average()) == blue  # the last wavelength serves what follows


def test_nyquist_sampling_is_half_a_cycle_per_pixel() -> None:
    nyquist = float(np.degrees(550e-9 / 0.5) * 3600)
    assert cutoff_cpp(telescope(nyquist), 1, Average()) == pytest.approx(0.5, rel=1e-5)


def test_unknown_telescope_takes_what_the_frames_show() -> None:
    assert cutoff_cpp(Telescope(), 0, Average()) == 0.31
    assert cutoff_cpp(Telescope(), 0, Average({"optical_cutoff": 0.0})) == 0.5


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
