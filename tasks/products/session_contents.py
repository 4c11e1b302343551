"""What is made from results of several captures of one turning planet."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from storage.declared import F32, Array, Content, Value


@dataclass(frozen=True)
class SessionSky(Content):
    """One sky from the captures of a session: the rotation between them undone, each spatial frequency from what knows it."""

    step: ClassVar[str] = "merge"

    published: Annotated[F32, Array("channel, y, x", "adu", "The sky of the session, at its middle.")]
    stack: Annotated[F32, Array("channel, y, x", "adu", "Mean of the captures' shift-averages, rotation undone.")]
    single: Annotated[F32, Array("channel, y, x", "adu", "What was published of the capture nearest the middle.")]
    belief: Annotated[F32, Array("channel, y, x", "adu", "Standard error of the sky.")]
    weights: Annotated[
        F32, Array("part, channel, ring", "", "Weight of each capture at rings of cycles per the frame's longer side.")
    ]
    moves: Annotated[F32, Array("part, dy dx", "px", "By how much each disc stood off its measured place.")]
    verdict: Annotated[str, Value("", "sky where all captures are skies, stack where all are stacks, else blend.")]
    stretch: Annotated[str, Value("", "How sky.png is stretched.")]
    figures: Annotated[dict[str, Any], Value("", "The disc, where north is, how well the captures agree.")]
