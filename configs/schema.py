"""The shape of a configuration: every setting with its type, unit, range and meaning; the numbers are in default.toml."""

import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from configs.colour import Colour
from configs.finishing import Burst, Dewarp, Enhance, Fill, Session
from configs.observatory import Site, WithObservatory
from configs.section import Count, GridScale, Positive, Section, Share
from configs.store import StoreSettings
from configs.timeouts import Timeouts

WIDEST_PIXELS = (1.1, 2.2)
"""Width of a pixel over wavelength / 2D beyond which the sky gets two, and three, pixels for one of the camera's."""
Wavelength = Annotated[float, Field(ge=200, le=20000)]
ARCSEC_PER_RAD = 206264.806
"""Arc seconds in a radian."""


class Telescope(Section):
    """What made the picture. Without an aperture the optical cut-off is estimated from the frames."""

    aperture_m: Annotated[float, Field(ge=0.01, le=60)] | None = None
    """Diameter of the entrance pupil, in metres."""
    obstruction: Annotated[float, Field(ge=0, lt=0.95)] = 0.0
    """Central obstruction, as a fraction of the aperture's diameter."""
    pixel_scale_arcsec: Annotated[float, Field(ge=1e-4, le=20)] | None = None
    """Sky angle of one pixel, in arc seconds."""
    focal_length_mm: Annotated[float, Field(ge=10, le=1e6)] | None = None
    """Effective focal length, in millimetres; with pixel_size_um another way to say the pixel scale."""
    pixel_size_um: Annotated[float, Field(ge=0.5, le=100)] | None = None
    """Pitch of the camera's pixels, in micrometres."""
    wavelength_nm: Wavelength | Annotated[tuple[Wavelength, ...], Field(min_length=1)] = 550.0
    """Mean wavelength in nanometres: one for all channels, or one per channel (red, green, blue)."""

    @model_validator(mode="after")
    def _one_scale(self) -> "Telescope":
        pair = (self.focal_length_mm, self.pixel_size_um)
        if (pair[0] is None) != (pair[1] is None):
            raise ValueError("focal_length_mm and pixel_size_um go together: give both, or pixel_scale_arcsec")
        if pair[0] is not None and self.pixel_scale_arcsec is not None:
            raise ValueError(
                "the pixel scale is said twice: give pixel_scale_arcsec or focal_length_mm and pixel_size_um"
            )
        if self.aperture_m is not None and self.scale_arcsec is None:
            raise ValueError(
                "aperture_m needs the pixel scale: give pixel_scale_arcsec, or focal_length_mm and pixel_size_um"
            )
        return self

    @property
    def scale_arcsec(self) -> float | None:
        """Sky angle of one pixel in arc seconds, however it was given."""
        if self.focal_length_mm is not None and self.pixel_size_um is not None:
            return 206.264806 * self.pixel_size_um / self.focal_length_mm
        return self.pixel_scale_arcsec

    @property
    def pixel_over_nyquist(self) -> float | None:
        """Width of a pixel over lambda / 2D, in green of three colours; beyond one, pixels are too wide for the telescope."""
        if self.aperture_m is None or self.scale_arcsec is None:
            return None
        reference = 1 if isinstance(self.wavelength_nm, tuple) and len(self.wavelength_nm) == 3 else 0
        return self.scale_arcsec / ARCSEC_PER_RAD * 2 * self.aperture_m / (self.wavelength_of(reference) * 1e-9)

    def in_finer_pixels(self, scale: float) -> "Telescope":
        """The same telescope before pixels that are narrower by a factor."""
        if scale == 1 or self.scale_arcsec is None:
            return self
        finer = {"pixel_scale_arcsec": self.scale_arcsec / scale, "focal_length_mm": None, "pixel_size_um": None}
        return self.model_copy(update=finer)

    def wavelength_of(self, channel: int) -> float:
        """Wavelength of a channel, in nanometres; the last one given serves the channels beyond it."""
        if isinstance(self.wavelength_nm, tuple):
            return self.wavelength_nm[min(channel, len(self.wavelength_nm) - 1)]
        return self.wavelength_nm


class Camera(Section):
    """Calibration frames, as paths relative to the configuration file that names them."""

    dark: Path | None = None
    """Mean dark frame (FITS, or any capture that averages to it), subtracted from every frame; none: nothing is subtracted."""
    flat: Path | None = None
    """Mean flat field, already dark-subtracted; scaled to mean one, every frame is divided by it; none: no division."""
    exposure_s: Annotated[float, Field(gt=0, lt=100)] | None = None
    """Exposure of one frame, in seconds, where the capture does not tell it itself."""
    mosaic: Literal["RGGB", "GRBG", "GBRG", "BGGR"] | None = None
    """Colours of the sensor's first two rows from pixel [0, 0] of the file, where a raw colour capture does not tell them."""


class Ingest(Section):
    """From the capture's file to the store."""

    indifferent: ClassVar[tuple[str, ...]] = ("block_frames",)

    block_frames: Count
    """Frames read and written at a time; memory grows with it, results do not depend on it."""
    compression: Literal["lzf", "none"]
    """Lossless compression of the stored frames: lzf (small, fast) or none."""
    black_share: Share
    """A frame whose flux is below this share of the median flux is marked black."""
    saturated_share: Share
    """A frame with more than this share of its pixels at full scale is marked saturated."""


class Average(Section):
    """Mean, variance, noise and defects of all frames."""

    indifferent: ClassVar[tuple[str, ...]] = ("block_frames",)

    block_frames: Count
    """Frames per chunk of the Dask reduction; memory grows with it."""


class AlignSettings(Section):
    """Registration of every frame on the average."""

    indifferent: ClassVar[tuple[str, ...]] = ("block_frames",)

    rounds: Count
    """Most rounds of align, average, align again; it stops earlier once the shifts settle."""
    settle_px: Positive
    """The shifts have settled when no more than this many pixels rms separate two rounds."""
    block_frames: Count
    """Frames registered at a time; memory grows with it."""


class ShiftAverage(Section):
    """The shifted average and the lucky one: the first sky, to which every later result is compared."""

    indifferent: ClassVar[tuple[str, ...]] = ("block_frames",)

    heldout_share: Annotated[float, Field(gt=0, le=0.5)]
    """Share of the frames, drawn at random, that never enters a sky and evaluates it."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of every draw of frames."""
    block_frames: Count
    """Frames shifted at a time; memory grows with it."""


class Psfs(Section):
    """How the PSFs of a round are found. [psfs] holds what all rounds share; a round may differ in all but model and modes."""

    model: Literal["pupil", "freeform"]
    """pupil: phases in the telescope's pupil (needs the optics or its estimated cut-off); freeform: any non-negative PSF."""
    frames: Annotated[int, Field(ge=0)]
    """How many of the luckiest frames take part; 0 means all. Those that a round before has solved keep their PSFs."""
    frames_per_d_over_r0: Annotated[float, Field(ge=0)]
    """Number of frames over D/r0: where nothing is known yet, no more than this times D/r0, and no fewer than two batches, take
    part. In calm air few frames find a sky to which the others are fitted better than by themselves. 0: no limit."""
    modes: Annotated[int, Field(ge=3, le=1000)]
    """Zernike modes of each frame's phase (tip and tilt included)."""
    steps: Count
    """Gradient steps."""
    rate_rad: Positive
    """Size of the first step, in radians of phase."""
    temperature: Annotated[float, Field(ge=1)]
    """The noise is multiplied by this at the start and cooled to one: coarse structure before fine."""
    batch_frames: Annotated[int, Field(ge=2, le=512)]
    """Most frames solved together; memory grows with it. Where nothing is known yet, frames beyond whole batches wait for
    the next round if they are less than half a batch: few poor frames by themselves find a poor sky."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the starting phases."""
    starts: Annotated[int, Field(ge=1, le=16)]
    """How many times each batch is solved, each time from other phases, where nothing is known yet: the errors of the
    solutions differ, and the sky is solved from all of them. Time grows with it."""


class Sky(Section):
    """How the sky of a round is found. [sky] holds what all rounds share; a round may differ."""

    indifferent: ClassVar[tuple[str, ...]] = ("scale",)

    scale: GridScale
    """Pixels of the sky for one of the camera's along each axis, 1, 1.5, 2 or 3, in all rounds; 1.5 is solved as 2. auto: 1 where
    the telescope is not known or its pixel at most 1.1 times as wide as wavelength / 2D, 2 up to 2.2 times, else 3."""
    prior: Literal["wiener", "positive"]
    """wiener: the data choose the power of the sky ring by ring; positive: the same, then without light below the
    background, for stars and satellites before a dark sky (Moon and Sun lose their shadows by it)."""
    air_share: Annotated[float, Field(ge=0, le=1)]
    """Weight of the seeing's mean power in the sky's amplitude, as a fraction of the weight that its accuracy allows: 1 all
    of it; 0 the amplitude of the solved PSFs alone."""
    cg_iterations: Annotated[int, Field(ge=0, le=100)]
    """Number of conjugate gradient iterations on a canvas wider than the frame, each a pass over all frames; 0: no such
    canvas, the frames are tapered and the border shows the stack. A colour of a mosaic takes as many times more as it has fewer
    pixels: twice as many in green, four times in red and blue."""


class Round(Section):
    """PSFs from a sky, then the next sky from them. Complete: [psfs] and [sky], and what the round's own table changes."""

    psfs: Psfs
    """How the PSFs are found."""
    sky: Sky
    """How the sky is found."""


class Evaluate(Section):
    """Evaluation of the result on held-out frames."""

    steps: Count
    """Gradient steps that fit the PSFs of held-out frames to a sky."""
    frames: Count
    """Most held-out frames used."""
    stretch: Literal["linear", "gamma", "asinh"]
    """How sky.png is stretched for display: linear, a square-root-like gamma, or asinh for stars beside faint light."""


class Limits(Section):
    """What a run may take of the machine; results do not depend on it."""

    cpu_captures: Count
    """How many captures may compute on the processor at a time, in one store; a graphics card takes one."""


class NightSettings(Section):
    """How a night is processed; never taken from a file found among the captures."""

    settle_s: Annotated[float, Field(ge=0, le=3600)]
    """A capture is complete when it has not changed for this long, in seconds."""
    poll_s: Annotated[float, Field(gt=0, le=60)]
    """Pause between two checks of a capture, in seconds: one that grows meanwhile is still being written."""
    spare_gb: Annotated[float, Field(ge=0)]
    """Free space on the store's disk that a night must leave, in gigabytes, beyond what its captures need."""
    room_ratio: Positive
    """Ratio of the room that a capture takes in the store to the size of its frames."""
    notify: str = ""
    """Shell command called at the end with the summary as JSON on its standard input; empty: none."""
    notify_timeout_s: Positive
    """The notify command is stopped after this long, in seconds."""


class Config(WithObservatory):
    """Everything a run depends on."""

    telescope: Telescope = Telescope()
    """What made the picture."""
    site: Site = Site()
    """Where it stands."""
    camera: Camera = Camera()
    """Calibration frames."""
    ingest: Ingest
    """From the capture's file to the store."""
    average: Average
    """Mean, variance, noise and defects."""
    align: AlignSettings
    """Registration."""
    shift_average: ShiftAverage
    """The first sky."""
    rounds: Annotated[tuple[Round, ...], Field(min_length=1)]
    """The rounds, in order. [[rounds]] in a file of yours are laid on the default ones by position: the first on the first;
    more than those are added. `--set rounds=[{}]` replaces the list: one round of [psfs] and [sky] alone."""
    evaluate: Evaluate
    """Evaluation."""
    colour: Colour
    """How the colours are put together."""
    fill: Fill
    """Frames whose missing pixels are filled."""
    dewarp: Dewarp
    """A stack whose parts are registered each by itself."""
    burst: Burst
    """A clean movie of what changes."""
    enhance: Enhance
    """A sharper picture beside the published one."""
    session: Session
    """One sky from captures of a planet that turns."""
    limits: Limits
    """What a run may take of the machine."""
    timeouts: Timeouts
    """Longest time of each step."""
    night: NightSettings
    """How a night is processed."""
    store: StoreSettings
    """What is removed from the store after a night."""

    @property
    def sky_scale(self) -> int:
        """Pixels of the sky for one of the camera's, along each axis; `auto` goes by the telescope."""
        wanted = self.rounds[0].sky.scale
        if not isinstance(wanted, str):
            return math.ceil(wanted)
        return 1 + sum((self.telescope.pixel_over_nyquist or 0) > widest for widest in WIDEST_PIXELS)

    @property
    def sky_telescope(self) -> Telescope:
        """The telescope in the pixels of the sky."""
        return self.telescope.in_finer_pixels(self.sky_scale)
