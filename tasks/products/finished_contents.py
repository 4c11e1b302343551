"""What the steps beside the solve leave: pictures and frames to look at, none of which enters the sky."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from storage.declared import F32, I64, Array, Content, Value


@dataclass(frozen=True)
class Filled(Content):
    """Pixels that frames miss (hot, dead, saturated, lost), filled; only pictures to look at are made with them."""

    step: ClassVar[str] = "fill"

    starts: Annotated[I64, Array("frame + 1", "", "Where the pixels of each frame begin in the arrays below.")]
    pixels: Annotated[I64, Array("pixel", "", "Place in the frame (channel, y, x), counted row by row.")]
    values: Annotated[F32, Array("pixel", "adu", "The answer that is shown.")]
    classical: Annotated[F32, Array("pixel", "adu", "The stack and a smooth surface through the difference to it.")]
    before: Annotated[F32, Array("channel, y, x", "adu", "The sharpest frame before it was filled.")]
    preview: Annotated[F32, Array("channel, y, x", "adu", "The sharpest frame, filled.")]
    used: Annotated[str, Value("", "Which answer is shown: classical or learned; none where nothing is missing.")]
    reason: Annotated[str, Value("", "Why this one.")]
    strength: Annotated[float, Value("fraction", "Fraction of the filling that is shown.")]
    model: Annotated[str, Value("", "Hash of the learned model; empty: none.")]
    card: Annotated[dict[str, Any], Value("", "Figures of the model's gate.")]
    figures: Annotated[dict[str, Any], Value("", "Figures of the checks.")]
    learned: Annotated[F32 | None, Array("pixel", "adu", "The learned answer.")] = None


@dataclass(frozen=True)
class Dewarped(Content):
    """A stack whose frames are registered part by part; nothing of it enters the sky."""

    step: ClassVar[str] = "dewarp"

    dewarped: Annotated[F32, Array("channel, y, x", "adu", "The answer that is shown; the stack where there is none.")]
    plain: Annotated[F32, Array("channel, y, x", "adu", "Mean of the same frames, registered as a whole.")]
    classical: Annotated[F32, Array("channel, y, x", "adu", "Mean of the frames moved by the grid of local shifts.")]
    numbers: Annotated[I64, Array("frame", "frame number", "The frames of the stack.")]
    fields: Annotated[F32, Array("frame, dy dx, row, column", "px", "Local shifts used, one per patch.")]
    used: Annotated[str, Value("", "Which answer is shown: classical or learned; none where the target is too small.")]
    reason: Annotated[str, Value("", "Why this one.")]
    strength: Annotated[float, Value("fraction", "Fraction of the change that is shown.")]
    model: Annotated[str, Value("", "Hash of the learned model; empty: none.")]
    card: Annotated[dict[str, Any], Value("", "Figures of the model's gate.")]
    figures: Annotated[dict[str, Any], Value("", "Figures of the checks.")]
    learned: Annotated[F32 | None, Array("channel, y, x", "adu", "The same with the learned shifts.")] = None


@dataclass(frozen=True)
class Movie(Content):
    """Consecutive frames, registered and cleaned of noise; nothing of it enters the sky."""

    step: ClassVar[str] = "burst"

    numbers: Annotated[I64, Array("frame", "frame number", "The frames of the movie, in time.")]
    movie: Annotated[F32, Array("frame, channel, y, x", "adu", "The answer that is shown.")]
    sigma: Annotated[F32, Array("frame, channel, y, x", "adu", "Its standard error.")]
    classical: Annotated[F32, Array("frame, channel, y, x", "adu", "The best classical answer of each frame.")]
    before: Annotated[F32, Array("channel, y, x", "adu", "The frame in the middle of the movie before it was cleaned.")]
    methods: Annotated[list[str], Value("", "Which classical method was the best, per frame of the first channel.")]
    used: Annotated[str, Value("", "Which answer is shown: classical or learned.")]
    reason: Annotated[str, Value("", "Why this one.")]
    strength: Annotated[float, Value("fraction", "Fraction of the noise's removal that is shown.")]
    model: Annotated[str, Value("", "Hash of the learned model; empty: none.")]
    card: Annotated[dict[str, Any], Value("", "Figures of the model's gate.")]
    figures: Annotated[list[Any], Value("", "Figures of the checks, per channel.")]
    learned: Annotated[F32 | None, Array("frame, channel, y, x", "adu", "The learned answer.")] = None


@dataclass(frozen=True)
class Enhanced(Content):
    """A sharper picture than the published one, made from it: with the classical answer, and the learned one if there is."""

    step: ClassVar[str] = "enhance"

    enhanced: Annotated[F32, Array("channel, y, x", "adu", "The answer that is shown, on pixels `scale` times finer.")]
    classical: Annotated[F32, Array("channel, y, x", "adu", "Richardson-Lucy with the picture's own PSF.")]
    used: Annotated[str, Value("", "Which answer is shown: classical or learned.")]
    reason: Annotated[str, Value("", "Why this one.")]
    scale: Annotated[int, Value("", "How many times finer the pixels are than the capture's.")]
    strength: Annotated[float, Value("fraction", "Fraction of the change that is shown.")]
    model: Annotated[str, Value("", "Hash of the learned model; empty: none.")]
    card: Annotated[dict[str, Any], Value("", "Figures of the model's gate.")]
    figures: Annotated[list[Any], Value("", "Figures of the checks, per channel.")]
    learned: Annotated[F32 | None, Array("channel, y, x", "adu", "The learned answer.")] = None


@dataclass(frozen=True)
class Combined(Content):
    """Results of mono captures through red, green and blue filters, laid on each other as one colour sky."""

    step: ClassVar[str] = "combine"

    published: Annotated[F32, Array("channel, y, x", "adu", "What was published of the parts, luminance applied.")]
    sky: Annotated[F32, Array("channel, y, x", "adu", "The solved skies, published or not, luminance applied.")]
    stack: Annotated[F32, Array("channel, y, x", "adu", "The parts' shift-averages; nothing of luminance is in them.")]
    belief: Annotated[
        F32, Array("channel, y, x", "adu", "Standard error of red, green and blue, luminance not counted.")
    ]
    filters: Annotated[list[str], Value("", "The parts: red, green, blue, and luminance where there is one.")]
    offsets: Annotated[F32, Array("part, dy dx", "px", "By how much each part was moved onto green.")]
    verdict: Annotated[str, Value("", "What is published: sky or stack where all parts agree, else blend.")]
    stretch: Annotated[str, Value("", "How sky.png is stretched, of green.")]
    pixel_width: Annotated[
        float, Value("arcsec or camera px", "Width of a pixel; of the camera's where no scale is known.")
    ]
    luminance: Annotated[str, Value("", "What luminance did, in words; empty where there is none.")]
