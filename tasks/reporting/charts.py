"""The charts of a result's page: frames and air over time, how fine the sky is resolved, and how far to trust it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.products.contents import Seeing, Stack
from tasks.products.frames import reasons
from tasks.reporting.svg import Chart, Mark, Series

Values = NDArray[np.floating[Any]]
KINDS = {"luckiest": 1, "others solved": 2, "held out": 3, "left out": 4}
"""What became of a frame, and the number of its colour."""


@dataclass(frozen=True)
class Shown:
    """What is known of every frame, each (frame,); what is not is nan."""

    time: Values
    """Seconds since the first frame, or frame numbers."""
    clocked: bool
    """Are they seconds?"""
    flags: NDArray[np.uint8]
    """Why each frame is not used (0: it is)."""
    held: NDArray[np.int64]
    """Numbers of the frames that only judge."""
    rounds: tuple[NDArray[np.int64], ...]
    """Numbers of the frames that each round solved first."""
    sharpness: Values
    light: Values
    """Above the dark level, camera units per pixel."""
    shifts: Values
    """(frame, 2) dy, dx px."""
    strehl: Values
    d_over_r0: Values

    @property
    def kinds(self) -> NDArray[np.str_]:
        """What became of each frame: a key of KINDS."""
        kinds = np.full(len(self.time), "others solved", dtype="U16")
        kinds[self.rounds[0]] = "luckiest"
        kinds[self.held] = "held out"
        kinds[self.flags != 0] = "left out"
        return kinds

    @property
    def axis(self) -> str:
        """Name of the time axis."""
        return "time since the first frame (s)" if self.clocked else "frame"

    def by_kind(self, values: Values, unit: str, kinds: tuple[str, ...] = tuple(KINDS)) -> tuple[Series, ...]:
        """Dots of the frames of each kind, in its colour."""
        mine, found = self.kinds, []
        for name in kinds:
            chosen = np.flatnonzero(mine == name)
            if np.isfinite(values[chosen]).any():
                tips = tuple(self._tip(int(k), values[k], unit) for k in chosen)
                found.append(Series(name, self.time[chosen], values[chosen], "dots", KINDS[name], tips))
        return tuple(found)

    def _tip(self, frame: int, value: float, unit: str) -> str:
        why = ", ".join(reasons(int(self.flags[frame])))
        return f"frame {frame}: {value:.3g}{unit}" + (f" ({why})" if why else "")


def frame_charts(shown: Shown, stack: Stack) -> tuple[Chart, ...]:
    """Sharpness, light and drift of the frames over time, and what each share of lucky frames is worth."""
    good = shown.flags == 0
    sharp = np.where(shown.sharpness > 0, shown.sharpness, np.nan) / np.median(shown.sharpness[good])
    light = shown.light / np.median(shown.light[good])
    drift = []
    for axis, name, colour in ((1, "x", 3), (0, "y", 5)):
        move = np.where(good, shown.shifts[:, axis], np.nan)
        drift.append(Series(name, shown.time, move, "dots", colour))
    return (
        Chart(
            "Sharpness of the frames",
            "Fine detail over coarse that a frame has in common with the others; the median is 1.",
            shown.axis, "relative sharpness", shown.by_kind(sharp, " × the median"), (Mark("y", 1.0, ""),), (0.0, None),
        ),
        Chart(
            "Light of the frames",
            "Clouds and twilight show here; the median is 1.",
            shown.axis, "relative light", shown.by_kind(light, " × the median"), (Mark("y", 1.0, "", 0.1),),
        ),
        Chart(
            "Drift of the target",
            "How far each frame had to be moved: the mount's drift and the air's tilt.",
            shown.axis, "shift (px)", tuple(drift),
        ),
        _lucky_chart(stack),
    )  # fmt: skip


def seeing_charts(shown: Shown, seeing: Seeing, channel: int) -> tuple[Chart, ...]:
    """Strehl ratio and D/r0 of every solved frame over time."""
    strength = float(seeing.d_over_r0[channel])
    sigma = strength * float(seeing.log_d_over_r0_sigma[channel])
    solved = ("luckiest", "others solved")
    charts = [
        Chart(
            "Strehl ratio of the frames",
            "Peak of the solved PSF over that of the telescope without air.",
            shown.axis, "Strehl ratio", shown.by_kind(shown.strehl, " Strehl", solved), (), (0.0, None),
        )
    ]  # fmt: skip
    if np.isfinite(shown.d_over_r0).any():
        charts.append(
            Chart(
                "Seeing of the frames",
                "From the phases of each solved PSF, tilt left out; the band is what the spectra of all frames say.",
                shown.axis, "D/r₀", shown.by_kind(shown.d_over_r0, " D/r₀", solved),
                (Mark("y", strength, f"all frames: {strength:.1f} ± {sigma:.1f}", sigma),), (0.0, None),
            )
        )  # fmt: skip
    return tuple(charts)


def resolution_charts(curves: Mapping[str, Values], cutoff: float) -> tuple[Chart, ...]:
    """Ring correlations up to the finest that the pixels hold."""
    rings = [
        Series(name, np.linspace(0, 0.5, len(curve)), curve, "line", colour)
        for colour, (name, curve) in zip((1, 3, 2), curves.items(), strict=False)
    ]
    return (
        Chart(
            "Resolution",
            "Correlation of two pictures, ring by ring of spatial frequency: 1 is the same, 0 is noise.",
            "spatial frequency (cycles/px)", "ring correlation", tuple(rings),
            (Mark("x", cutoff, "telescope's cut-off"), Mark("y", 0.5, "resolved")), (-0.1, 1.05),
        ),
    )  # fmt: skip


def heldout_chart(shown: Shown, sky: Values, stack: Values, judges: NDArray[np.int64]) -> Chart:
    """What sky and stack, each (frame,), leave of every frame that judged, in units of its noise."""
    series = []
    for name, left, colour in (("sky", sky, 1), ("stack", stack, 2)):
        tips = tuple(
            f"frame {k}: the {name} leaves {rest:.3g} × its noise" for k, rest in zip(judges, left, strict=True)
        )
        series.append(Series(name, shown.time[judges], left, "dots", colour, tips))
    return Chart(
        "Held-out frames, one by one",
        "What is left of frames that the solve has not seen, in units of their noise; 1 is a perfect explanation.",
        shown.axis, "unexplained / noise", tuple(series), (Mark("y", 1.0, ""),), (0.0, None),
    )  # fmt: skip


def loss_charts(rounds: Sequence[tuple[Values, Values, Values]]) -> tuple[Chart, ...]:
    """How the loss of every batch fell: of each round its steps (segment,), loss (batch, segment) and frames (batch,)."""
    series = []
    for number, (steps, losses, frames) in enumerate(rounds, start=1):
        for batch, loss in enumerate((losses - losses[:, -1:]) / frames[:, None] if len(steps) > 1 else (), start=1):
            tips = tuple(
                f"round {number}, batch {batch}, step {s:.0f}: {v:+.3g}" for s, v in zip(steps, loss, strict=True)
            )
            series.append(Series(f"round {number}", steps, loss, "line", 1 + (number - 1) % 5, tips))
    if not series:
        return ()
    return (
        Chart(
            "Loss of the batches",
            "How much worse than at its end each batch explained its frames while it was solved; flat at the end is settled.",
            "gradient step", "loss above the last (nats per frame)", tuple(series),
        ),
    )  # fmt: skip


def _lucky_chart(stack: Stack) -> Chart:
    """What each share of lucky frames is worth, from the open shift_average product."""
    bits = stack.bits[:] / max(float(stack.bits[:].max()), 1e-30)
    shares, best = 100 * stack.shares[:], 100 * stack.share
    tips = tuple(f"the sharpest {share:.0f} %: {bit:.0%} of the most" for share, bit in zip(shares, bits, strict=True))
    return Chart(
        "How many frames to stack",
        "What the mean of the sharpest frames tells about frames that it has not shown.",
        "share of the frames (%)", "information (relative)",
        (Series("lucky stacks", shares, bits, "line", 1, tips),), (Mark("x", best, f"chosen: {best:.0f} %"),),
        (0.0, 1.05),
    )  # fmt: skip
