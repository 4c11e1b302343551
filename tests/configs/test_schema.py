"""What the settings say about themselves, and what they work out."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from configs.load import BadConfig, load_config
from configs.schema import Config, Section, Telescope


def sections(model: type[BaseModel] = Config) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from sections(kind)


@pytest.mark.parametrize("section", list(sections()), ids=lambda s: s.__name__)
def test_every_section_is_closed_frozen_and_told(section: type[BaseModel]) -> None:
    assert issubclass(section, Section)
    assert (section.model_config["extra"], section.model_config["frozen"]) == ("forbid", True)
    assert section.__doc__
    assert all(field.description for field in section.model_fields.values())


def test_the_pixel_scale_of_the_optics() -> None:
    """206265 arc seconds in a radian: 3.75 um at 2000 mm see 0.387 arc seconds."""
    optics = Telescope(focal_length_mm=2000, pixel_size_um=3.75)
    assert optics.scale_arcsec == pytest.approx(0.3867, abs=1e-4)
    assert Telescope(pixel_scale_arcsec=0.2).scale_arcsec == 0.2
    assert Telescope().scale_arcsec is None


def test_the_wavelength_of_a_channel() -> None:
    assert [Telescope(wavelength_nm=600).wavelength_of(c) for c in (0, 2)] == [600, 600]
    assert [Telescope(wavelength_nm=(620, 530)).wavelength_of(c) for c in (0, 1, 2)] == [620, 530, 530]


def test_no_wavelength_is_not_a_wavelength() -> None:
    with pytest.raises(ValidationError):
        Telescope(wavelength_nm=())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValidationError):
        Telescope(pixel_scale_arcsec=value)


def test_a_configuration_survives_json() -> None:
    config = load_config(overrides=["camera.dark=/dark.fits", "telescope.wavelength_nm=[620, 530]"])
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("scale_arcsec", "expected"), [(0.2, 1), (0.245, 1), (0.27, 2), (0.46, 2), (0.7, 3)]
)  # lambda / 2D is 0.227 arcsec
def test_the_grid_of_the_sky_follows_the_telescope(scale_arcsec: float, expected: int) -> None:
    config = load_config(overrides=["telescope.aperture_m=0.25", f"telescope.pixel_scale_arcsec={scale_arcsec}"])
    assert config.sky_scale == expected
    assert config.sky_telescope.scale_arcsec == pytest.approx(scale_arcsec / expected)
    forced = load_config(
        overrides=["telescope.aperture_m=0.25", f"telescope.pixel_scale_arcsec={scale_arcsec}", "sky.scale=1"]
    )
    assert (forced.sky_scale, forced.sky_telescope) == (1, forced.telescope)


def test_without_a_telescope_the_sky_has_the_cameras_pixels() -> None:
    config = load_config()
    assert config.sky_scale == 1
    assert config.sky_telescope is config.telescope


def test_a_focal_length_gives_the_pixel_of_the_finer_grid_too() -> None:
    telescope = Telescope(aperture_m=0.25, focal_length_mm=2000, pixel_size_um=4.0)
    assert telescope.in_finer_pixels(2).scale_arcsec == pytest.approx(206.264806 * 4 / 2000 / 2)
    assert Telescope(
        aperture_m=0.25, pixel_scale_arcsec=0.3, wavelength_nm=(620.0, 535.0, 460.0)
    ).pixel_over_nyquist == (pytest.approx(0.3 / 206264.806 * 0.5 / 535e-9))


def test_one_and_a_half_pixels_are_solved_as_two() -> None:
    assert load_config(overrides=["sky.scale=1.5"]).sky_scale == 2
    for wrong in ("1.7", "4", "true", "foo"):
        with pytest.raises(BadConfig, match=r"sky\.scale = .*needed is auto, 1, 1\.5, 2, 3"):
            load_config(overrides=[f"sky.scale={wrong}"])
    with pytest.raises(BadConfig, match=r"set sky\.scale instead"):
        load_config(overrides=["rounds.0.sky.scale=2"])
