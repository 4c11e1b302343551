"""Settings of what is made beside the solve: pictures and frames to be looked at, with a learned answer where there is one."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from configs.section import Section

Mode = Literal["off", "classical", "learned", "auto"]
"""Of a step that has a learned answer: off passes its input through; classical; learned, whatever is known of the model;
auto: learned if the model's card passed its gate and the result the checks of the night, else classical."""


class Fill(Section):
    """Frames whose missing pixels are filled, for the pictures that dewarp and burst make; no filled pixel enters the solve."""

    mode: Mode
    """off, classical (the stack and a smooth surface through the difference to it), learned, or auto."""
    strength: Annotated[float, Field(ge=0, le=1)]
    """Fraction of the filling that is shown: 0 leaves the frames bit by bit as they were cleaned."""


class Dewarp(Section):
    """A stack whose parts are registered each by itself, for Moon and Sun: stack_dewarped.fits."""

    mode: Mode
    """off, classical (a grid of local shifts), learned, or auto."""
    frames: Annotated[int, Field(ge=3, le=5000)]
    """Most frames of the stack, the sharpest ones; time grows with it."""
    patch_px: Annotated[int, Field(ge=8, le=128)]
    """Side of the patches whose shifts are measured, in pixels."""
    step_px: Annotated[int, Field(ge=2, le=64)]
    """Distance of the patches, in pixels."""
    strength: Annotated[float, Field(ge=0, le=1)]
    """Fraction of the change of the stack that is shown: 0 leaves it bit by bit as it is."""


class Burst(Section):
    """A clean movie of what changes (a satellite, a turning planet, an occultation), with error bars: burst.fits."""

    mode: Mode
    """off, classical (the best of window mean, mean of all others, and non-local means), learned, or auto."""
    frames: Annotated[int, Field(ge=5, le=2000)]
    """Most frames of the movie, those around the sharpest one; time grows with it."""
    strength: Annotated[float, Field(ge=0, le=1)]
    """Fraction of the noise's removal that is shown: 0 leaves the frames bit by bit as they were registered."""


class Enhance(Section):
    """A sharper picture beside the published one: sky_enhanced.fits and sky_enhanced.png. sky.fits is never changed by it."""

    mode: Mode
    """off, classical (Richardson-Lucy with the picture's own PSF), learned, or auto."""
    strength: Annotated[float, Field(ge=0, le=1)]
    """Fraction of the change that is shown: 0 leaves the picture bit by bit as it is."""
    scale: Literal[1, 2, 4]
    """Factor by which the pixels of the enhanced picture are finer than those of the capture."""
    iterations: Annotated[int, Field(ge=1, le=100)]
    """Largest number of Richardson-Lucy iterations; fewer where the picture is explained to its standard error before."""


class Session(Section):
    """Captures of one turning planet, one after the other, as one sky: the rotation between them is undone."""

    indifferent: ClassVar[tuple[str, ...]] = ("mode", "mount", "gap_s", "longest_s")

    mode: Literal["auto", "off"]
    """auto: captures of Jupiter, Saturn and Mars that follow each other become a session at the end of a night; off: none do."""
    gap_s: Annotated[float, Field(gt=0, le=36000)]
    """A capture of a session begins at most this long after the one before it began, in seconds."""
    longest_s: Annotated[float, Field(gt=0, le=36000)]
    """The captures of one session begin within this time, in seconds: what turned out of view adds nothing."""
    mount: Literal["equatorial", "altaz"]
    """altaz: the mount turns the field, as follows from [site] and the times; equatorial: the field stands still."""
    north_deg: Annotated[float, Field(ge=-360, le=360)] | None = None
    """Direction of the planet's north pole in the middle of the session, in degrees from up to the left; none: it is found where
    early and late captures agree best."""
    mirrored: bool = False
    """Whether the picture is mirrored; counts where north_deg is given."""
