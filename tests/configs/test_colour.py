"""A filter picks its wavelength from a list of red, green, blue and perhaps luminance."""

import pytest

from configs.colour import Filter, wavelength_of
from configs.load import BadConfig, load_config


@pytest.mark.parametrize(
    ("given", "filter_", "nm"),
    [
        (550.0, "blue", 550.0),
        ((640.0, 530.0, 450.0), "red", 640.0),
        ((640.0, 530.0, 450.0), "blue", 450.0),
        ((640.0, 530.0, 450.0), "luminance", 540.0),
        ((640.0, 530.0, 450.0, 560.0), "luminance", 560.0),
        ((640.0,), "green", 640.0),
    ],
)
def test_the_wavelength_of_a_filter(given: float | tuple[float, ...], filter_: Filter, nm: float) -> None:
    assert wavelength_of(given, filter_) == nm


def test_how_groups_are_found_can_be_said() -> None:
    patterns = load_config(overrides=["colour.group={red='*a*', green='*b*', blue='*c*'}"]).colour.group
    assert getattr(patterns, "green", None) == "*b*"
    assert load_config(overrides=["colour.group=off"]).colour.group == "off"
    with pytest.raises(BadConfig, match=r"colour\.group"):
        load_config(overrides=["colour.group={red='*a*', green='*b*'}"])
    with pytest.raises(BadConfig, match=r"colour\.group_span_s"):
        load_config(overrides=["colour.group_span_s=0"])
