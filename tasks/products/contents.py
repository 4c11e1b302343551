"""What each step leaves in the store: every array and value with its axes, type, unit and meaning (docs/products.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from storage.declared import C64, F32, F64, I8, I64, U8, Array, Content, Flag, Numbers, Value
from tasks.products.finished_contents import Combined, Dewarped, Enhanced, Filled, Movie
from tasks.products.session_contents import SessionSky


@dataclass(frozen=True)
class Frames(Content):
    """The frames of a capture, lossless, with the reasons why a frame may be unusable."""

    step: ClassVar[str] = "ingest"

    raw: Annotated[Numbers, Array("frame, channel, y, x", "adu", "Codes as the camera wrote them.")]
    flags: Annotated[U8, Array("frame", "bits", "Why a frame is not used, 0 if it is: tasks.products.frames.FLAGS.")]
    flux: Annotated[F32, Array("frame", "adu/px", "Mean light above the frame's own dark level.")]
    capture: Annotated[str, Value("", "Name of the capture under which its content was first seen.")]
    fingerprint: Annotated[str, Value("", "sha256 of the capture's content.")]
    full_scale: Annotated[float, Value("adu", "Largest code; 0 where it is not known.")]
    facts: Annotated[
        dict[str, str], Value("", "What the file says of itself: observer, telescope, exposure and so on.")
    ]
    mosaic: Annotated[str, Value("", "Colours of the sensor's first cell, row by row, as RGGB; empty: no mosaic.")] = ""
    response: Annotated[F32 | None, Array("code", "adu", "Linear light of each code of a gamma-encoded capture.")] = (
        None
    )
    dark: Annotated[F32 | None, Array("channel, y, x", "adu", "Mean dark frame.")] = None
    flat: Annotated[F32 | None, Array("channel, y, x", "any", "Mean flat field.")] = None
    timestamps: Annotated[F64 | None, Array("frame", "s", "Start of each frame since 1970-01-01 UTC.")] = None


@dataclass(frozen=True)
class Mean(Content):
    """Mean, variance and noise of the calibrated frames, and the pixels that no frame can be trusted in."""

    step: ClassVar[str] = "average"

    mean: Annotated[F32, Array("channel, y, x", "adu", "Mean of the usable frames, not registered.")]
    variance: Annotated[F32, Array("channel, y, x", "adu^2", "Temporal variance of the usable frames.")]
    bad: Annotated[Flag, Array("channel, y, x", "", "Hot, dead and stuck pixels.")]
    flux: Annotated[F32, Array("frame, channel", "adu/px", "Mean light.")]
    noise: Annotated[F32, Array("frame, channel", "adu^2", "Noise variance per pixel.")]
    optical_cutoff: Annotated[float, Value("cycles/px", "The telescope's cut-off as the mean power spectrum shows it.")]
    log_cutoff_sigma: Annotated[
        float, Value("", "Standard deviation of its logarithm; above 0.15 it is mostly what is usual.")
    ]
    rounding_noise: Annotated[F64, Array("channel", "adu^2", "Noise of rounding to codes; 0: floats.")]
    code_step: Annotated[int, Value("adu", "Step between the camera's codes; 0: floats.")]
    sky_noise_steps: Annotated[
        float, Value("code_step", "Noise of the dark sky: where it is below 1 the sky is posterised; nan: not known.")
    ]


@dataclass(frozen=True)
class Clean(Content):
    """The frames in linear light, without defects and cosmic rays: light = level + step_size * code."""

    step: ClassVar[str] = "calibrate"

    codes: Annotated[Numbers, Array("frame, channel, y, x", "step_size", "Light: uint16, or float32 for float frames.")]
    window: Annotated[list[int], Value("px", "First and last+1 row and column that `codes` hold of the frame.")]
    level: Annotated[F32, Array("frame, channel", "adu", "Light of code 0.")]
    step_size: Annotated[F32, Array("frame, channel", "adu", "Light of one code, a power of two.")]
    flags: Annotated[U8, Array("frame", "bits", "Flags of ingest.")]
    noise: Annotated[F32, Array("frame, channel", "adu^2", "Noise variance per pixel, of average.")]
    bad: Annotated[Flag, Array("channel, y, x", "", "Pixels that were filled in every frame.")]
    spikes: Annotated[I64, Array("spike, frame channel y x", "", "Pixels that were filled in one frame: cosmic rays.")]
    facts: Annotated[dict[str, str], Value("", "What the file says of itself, of ingest.")]
    mosaic: Annotated[str, Value("", "Colours of the sensor's first cell, of ingest.")] = ""
    beyond: Annotated[
        F32 | None,
        Array("channel, y, x", "adu", "Mean frame, which stands outside the window, where that is not whole."),
    ] = None


@dataclass(frozen=True)
class Shifts(Content):
    """Where the target stands in every frame."""

    step: ClassVar[str] = "align"

    shifts: Annotated[F32, Array("frame, dy dx", "px", "Zero in the middle of the drift; nan for unusable frames.")]
    peaks: Annotated[F32, Array("frame", "", "Normalised correlation with the average.")]
    flags: Annotated[U8, Array("frame", "bits", "Flags of ingest, and `unaligned`.")]
    residuals_px: Annotated[F64, Array("round", "px", "Change of the shifts from one round to the next, rms.")]


@dataclass(frozen=True)
class Stack(Content):
    """The shift-average and the lucky stack: the first skies, which every later one must beat."""

    step: ClassVar[str] = "shift_average"

    stack: Annotated[F32, Array("channel, y, x", "adu", "Mean of all usable frames, registered.")]
    lucky_stack: Annotated[F32, Array("channel, y, x", "adu", "Mean of the sharpest frames, registered.")]
    order: Annotated[I64, Array("rank", "frame number", "Usable frames, sharpest first, without the held-out ones.")]
    held: Annotated[I64, Array("held-out frame", "frame number", "Frames that never enter a sky and judge it.")]
    flags: Annotated[U8, Array("frame", "bits", "Flags of align, and `streak`.")]
    sharpness: Annotated[F32, Array("frame", "", "Fine over coarse power in common with the other frames.")]
    residual_outlier_score: Annotated[F32, Array("frame", "", "Largest smoothed residual over the contrast.")]
    shifts: Annotated[F32, Array("frame, dy dx", "px", "Shifts of align, in pixels of the stack.")]
    gains: Annotated[F32, Array("frame, channel", "", "Light relative to the stack: clouds.")]
    shares: Annotated[F64, Array("share", "", "Shares of the sharpest frames that were tried.")]
    bits: Annotated[F64, Array("share", "bit", "What the mean of each share tells about unseen frames.")]
    share: Annotated[float, Value("fraction", "Share of the frames in the lucky stack.")]
    mosaic: Annotated[str, Value("", "Colours of the sensor's first cell, of ingest.")] = ""
    scale: Annotated[
        int, Value("", "Pixels of the stack, and of every sky, for one of the camera's, along each axis.")
    ] = 1
    window: Annotated[
        list[int] | None, Value("camera px", "Rows and columns of `calibrate`; outside them stands the mean frame.")
    ] = None
    rounding_noise: Annotated[F64 | None, Array("channel", "adu^2", "Least noise of a pixel, of average.")] = None
    noise_ratio: Annotated[F64 | None, Array("channel", "", "Largest over smallest noise where there is no light.")] = (
        None
    )
    noise_curve: Annotated[
        F64 | None,
        Array(
            "channel, frequency",
            "adu^2",
            "Noise variance per pixel at 142 frequencies up to 0.707 cycles/px; nan: white.",
        ),
    ] = None


@dataclass(frozen=True)
class Seeing(Content):
    """How strong the turbulence was, and the mean power of the PSFs it implies; one entry per channel."""

    step: ClassVar[str] = "measure_seeing"

    d_over_r0: Annotated[F64, Array("channel", "", "Aperture over Fried's r0.")]
    log_d_over_r0_sigma: Annotated[F64, Array("channel", "", "Standard deviation of ln(D/r0).")]
    wind_travel_diameters: Annotated[F64, Array("channel", "aperture", "Travel of the air during one exposure.")]
    jitter_px: Annotated[F64, Array("channel", "px", "What the alignment left, rms per axis.")]
    cutoff_cpp: Annotated[F64, Array("channel", "cycles/px", "Optical cut-off, at most what the pixels hold.")]
    noise: Annotated[F64, Array("channel", "adu^2", "Noise power per Fourier coefficient of the tapered frames.")]
    mean_power: Annotated[F64, Array("channel, ring", "", "Mean |H|^2 at 41 fractions of the cut-off.")]
    log_power_sigma: Annotated[F64, Array("channel, ring", "", "Standard deviation of ln(mean_power).")]
    frame_power: Annotated[F32, Array("channel, frame, ring", "adu^2", "Ring power of every frame, noise included.")]


@dataclass(frozen=True)
class BatchState(Content):
    """A batch between two segments of its solve: everything that is needed to go on."""

    memory: Annotated[Mapping[str, Numbers], Array("...", "any", "State of the PSF model, by name.")]
    loss: Annotated[float, Value("nat", "Minus log-likelihood of the frames, given those held fixed.")]


@dataclass(frozen=True)
class BatchResult(Content):
    """What came of one batch, in the order of its frames."""

    psfs: Annotated[
        tuple[F32, ...], Array("row, ...", "rad or 1", "Parameters per channel: Zernike phases, or pixels.")
    ]
    A: Annotated[
        tuple[Numbers, ...], Array("...", "", "Sum of |H|^2 (y, x//2+1) per channel; of a mosaic over aliases.")
    ]
    B: Annotated[tuple[C64, ...], Array("...", "adu", "Sum of conj(H) Y per channel.")]
    frame_power: Annotated[F32, Array("channel, ring", "adu^2", "Mean |Y|^2.")]
    misfits: Annotated[F32, Array("channel, row", "noise power", "What the batch's own sky leaves unexplained.")]
    loss: Annotated[F64, Array("segment", "nat", "Minus log-likelihood at the end of every segment.")]
    noise: Annotated[F64, Array("channel", "adu^2", "Noise power per Fourier coefficient.")]
    notes: Annotated[list[str], Value("", "What had to be done otherwise than asked for.")]


@dataclass(frozen=True)
class Psfs(Content):
    """The PSFs of the frames that a round solved, and the sums A and B of each batch. A row is one solve of one frame."""

    step: ClassVar[str] = "solve_psfs"
    also_from: ClassVar[tuple[str, ...]] = ("known_psfs",)

    frames: Annotated[I64, Array("row", "frame number", "The solved frames, batch by batch.")]
    half: Annotated[I8, Array("batch", "", "Half-set of each batch, 0 or 1.")]
    psfs: Annotated[
        tuple[F32, ...], Array("row, ...", "rad or 1", "Parameters per channel: Zernike phases, or pixels.")
    ]
    samplings: Annotated[list[Any], Value("px", "Period and offsets (y, x) of each channel's pixels on the canvas.")]
    A: Annotated[
        tuple[Numbers, ...],
        Array(
            "batch, ...", "", "Sum of |H|^2 (y, x//2+1) over a batch, per channel; of a mosaic matrices over aliases."
        ),
    ]
    B: Annotated[tuple[C64, ...], Array("batch, ...", "adu", "Sum of conj(H) Y over a batch, per channel.")]
    frame_power: Annotated[F32, Array("channel, batch, ring", "adu^2", "Mean |Y|^2 of the batch's frames.")]
    misfits: Annotated[F32, Array("channel, row", "noise power", "What the batch's own sky leaves unexplained.")]
    loss: Annotated[F64, Array("batch, segment", "nat", "Minus log-likelihood at the end of every segment.")]
    loss_steps: Annotated[I64, Array("segment", "step", "Gradient steps done at the end of every segment.")]
    noise: Annotated[F64, Array("channel", "adu^2", "Noise power per Fourier coefficient, median of the batches.")]
    model: Annotated[str, Value("", "PSF model.")]
    starts: Annotated[int, Value("", "How many times each frame was solved.")]
    shared_noise_fraction: Annotated[float, Value("fraction", "Share of the frames that both half-sets contain.")]
    notes: Annotated[list[str], Value("", "What had to be done otherwise than asked for.")]


@dataclass(frozen=True)
class Sky(Content):
    """The sky after a round, from the PSFs of all rounds so far."""

    step: ClassVar[str] = "solve_sky"

    sky: Annotated[F32, Array("channel, y, x", "adu", "As the telescope would show it without air, whole frame.")]
    tapered: Annotated[F32, Array("channel, y, x", "adu", "The same from the tapered frames alone.")]
    spectrum: Annotated[C64, Array("channel, y, x//2+1", "adu", "Spectrum before the telescope, on the canvas.")]
    sky_power: Annotated[F32, Array("channel, ring", "adu^2", "Power of the sky per Fourier coefficient.")]
    samplings: Annotated[list[Any], Value("px", "Period and offsets (y, x) of each channel's pixels on the canvas.")]
    A: Annotated[
        tuple[Numbers, ...], Array("...", "", "Sum of |H|^2 (y, x//2+1) over all frames; of a mosaic over aliases.")
    ]
    B: Annotated[tuple[C64, ...], Array("...", "adu", "Sum of conj(H) Y over all frames, per channel.")]
    A_half: Annotated[tuple[Numbers, ...], Array("...", "", "A of half-set 0, per channel.")]
    B_half: Annotated[tuple[C64, ...], Array("...", "adu", "B of half-set 0, per channel.")]
    frame_power: Annotated[F32, Array("channel, ring", "adu^2", "Mean |Y|^2 of the frames.")]
    noise: Annotated[F64, Array("channel", "adu^2", "Noise power per Fourier coefficient.")]
    shared_noise_fraction: Annotated[F64, Array("channel", "", "Share of the frames that both half-sets contain.")]
    frames: Annotated[I64, Array("row", "frame number", "Every solve of every frame so far.")]
    weights: Annotated[F32, Array("row", "", "One over how many times the frame was solved.")]
    misfits: Annotated[F32, Array("channel, row", "noise power", "What is left unexplained of each frame.")]
    psfs: Annotated[tuple[F32, ...], Array("row, ...", "rad or 1", "Parameters of the PSFs, per channel.")]
    model: Annotated[str, Value("", "PSF model.")]
    notes: Annotated[list[str], Value("", "What had to be done otherwise than asked for.")]


@dataclass(frozen=True)
class Evaluated(Content):
    """The result: what is published, what it was chosen from, and the figures of the judgement."""

    step: ClassVar[str] = "evaluate"

    published: Annotated[F32, Array("channel, y, x", "adu", "The picture for the user: sky, stack or a blend.")]
    stack: Annotated[F32, Array("channel, y, x", "adu", "Mean of all usable frames, registered.")]
    lucky_stack: Annotated[F32, Array("channel, y, x", "adu", "Mean of the sharpest frames, registered.")]
    sky: Annotated[F32, Array("channel, y, x", "adu", "The solved sky, published or not.")]
    heldout_frames: Annotated[I64, Array("held-out frame", "frame number", "The frames that judged.")]
    chi2_sky: Annotated[F32, Array("channel, held-out frame", "noise power", "What the sky leaves unexplained.")]
    chi2_stack: Annotated[F32, Array("channel, held-out frame", "noise power", "What the stack leaves unexplained.")]
    belief: Annotated[F32, Array("channel, y, x", "adu", "Standard error of what is published.")]
    verdict: Annotated[str, Value("", "What is published: sky, blend or stack.")]
    stretch: Annotated[str, Value("", "How sky.png is stretched.")]
    figures: Annotated[dict[str, Any], Value("", "Figures per channel, the doubt, and the lucky share.")]
    notes: Annotated[list[str], Value("", "What had to be done otherwise than asked for.")]


STEPS: tuple[type[Content], ...] = (
    *(Frames, Mean, Clean, Shifts, Stack),
    *(Filled, Dewarped, Movie),
    *(Seeing, Psfs, Sky, Evaluated, Enhanced),
)
"""Every declared product, in the order of the recipe."""

OF_SEVERAL: tuple[type[Content], ...] = (Combined, SessionSky)
"""Declared products that are made from results of several captures."""
