"""How a published result is finished for the eye: what `stillsky finish` is asked for, recorded beside the picture."""

from typing import Literal

from pydantic import Field

from configs.section import Section


class Finish(Section):
    """One finish; the defaults show the sky as it is."""

    blend: float = Field(1.0, ge=0, le=1)
    """Fraction of the sky in a blend with the stack: 0 is the stack, 1 the sky."""
    sharpen: float = Field(0.0, ge=0, le=1)
    """Fraction of a Richardson-Lucy deconvolution by the telescope's own diffraction that is shown."""
    wavelets: tuple[float, ...] = ()
    """Factor on each wavelet layer, from the finest (1 px, then 2, 4, 8 px): 1 leaves it; missing ones are 1."""
    white: str | tuple[float, float, float] = "grey-world"
    """White balance: grey-world, g2v, none, or factors on red, green and blue."""
    stretch: Literal["linear", "gamma", "asinh"] = "gamma"
    """How the PNG is stretched for display."""
    crop: Literal["none", "auto"] = "none"
    """auto: a square around the target, which stands in its middle; none: the whole frame."""
    scale: float = Field(1.0, ge=0.25, le=4)
    """Factor by which the pixels of the picture are finer than those of the capture."""
