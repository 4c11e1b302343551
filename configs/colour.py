"""How colours are put together, and the filters through which a mono camera takes the parts of one colour sky."""

from typing import ClassVar, Literal, get_args

from configs.section import Positive, Section

Filter = Literal["red", "green", "blue", "luminance"]
FILTERS: tuple[Filter, ...] = get_args(Filter)
"""In the order of channels and of [telescope] wavelength_nm; luminance is no channel of its own."""
COLOURS = FILTERS[:3]
"""What a colour sky needs."""


class FilterPatterns(Section):
    """Which capture is of which filter: patterns of file names with * and ?, in any case."""

    red: str
    """Names of the captures through the red filter."""
    green: str
    """Names of the captures through the green filter."""
    blue: str
    """Names of the captures through the blue filter."""
    luminance: str = ""
    """Names of the captures through the luminance filter; empty: none."""


class Colour(Section):
    """How the colours of a capture are put together."""

    indifferent: ClassVar[tuple[str, ...]] = ("white", "group", "group_span_s")

    align: bool
    """Whether red and blue are laid on green: the atmosphere disperses them."""
    group: Literal["names", "off"] | FilterPatterns
    """Mono captures through filters that make one colour sky: names finds them by their names (Jup_R_..., ..._G, ..._B, perhaps
    ..._L) and logs, off finds none; a table says which names are red, green, blue and luminance."""
    group_span_s: Positive
    """The captures of one colour sky begin within this time, in seconds: planets turn, and the field with them."""
    white: Literal["grey-world", "g2v", "none"] | tuple[Positive, Positive, Positive]
    """White balance of sky.png and sky.tif, never of sky.fits: grey-world makes the mean light grey with factors of at most
    two, g2v makes up for a typical sensor's response to sunlight, none leaves the colours, three numbers are factors on red,
    green and blue."""


def wavelength_of(wavelength_nm: float | tuple[float, ...], filter_: Filter) -> float:
    """The wavelength of a filter, nm, from one for all, or a list of red, green, blue and perhaps luminance.

    Luminance without a value of its own has the mean of the others.
    """
    if not isinstance(wavelength_nm, tuple):
        return wavelength_nm
    number = FILTERS.index(filter_)
    if filter_ == "luminance" and number >= len(wavelength_nm):
        return sum(wavelength_nm) / len(wavelength_nm)
    return wavelength_nm[min(number, len(wavelength_nm) - 1)]
