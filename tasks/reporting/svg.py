"""Charts as inline SVG: axes with units, dots and lines that say what they are when pointed at."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 64, 10, 12, 42
MOST_DOTS = 400
"""More dots of one series would hide each other and weigh on the page: every n-th is drawn."""
STYLE = (
    "text{font:12px sans-serif;fill:#555}.grid{stroke:#e5e5e5}.axis{stroke:#888}.line{fill:none;stroke-width:1.5}"
    ".mark{stroke:#333;stroke-dasharray:4 4}.band{fill:#8884}.line.c1{stroke:#1769aa}.line.c2{stroke:#c05621}"
    ".dot.c1{fill:#1769aa}.dot.c2{fill:#c05621}"
)
"""Colours of a drawing that stands alone; inside a page those of the page hold."""
PLOT = (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)


@dataclass(frozen=True)
class Series:
    """Points of one kind."""

    name: str
    x: Values
    y: Values
    kind: Literal["dots", "line"] = "dots"
    colour: int = 1
    """Number of a colour of the page, 1 to 5."""
    tips: tuple[str, ...] = ()
    """What each point says when pointed at; none: its coordinates."""


@dataclass(frozen=True)
class Mark:
    """A straight line across a chart at a value of one axis, with a word."""

    axis: Literal["x", "y"]
    value: float
    name: str
    spread: float = 0.0
    """Half the width of a band around it."""


@dataclass(frozen=True)
class Chart:
    """What is drawn against what."""

    title: str
    note: str
    x_name: str
    y_name: str
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    limits: tuple[float | None, float | None] = (None, None)
    """Lowest and highest y, where the data are not to say."""
    x_ticks: tuple[tuple[float, str], ...] = ()
    """Places on the x axis and their words; none: round numbers."""


@dataclass(frozen=True)
class _Frame:
    """From values to places in the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]
    ticks: tuple[list[float], list[float]] = field(default=([], []))

    def across(self, value: Any) -> Any:
        return PLOT[0] + (value - self.x[0]) / (self.x[1] - self.x[0]) * (PLOT[2] - PLOT[0])

    def down(self, value: Any) -> Any:
        value = np.clip(value, *self.y)
        return PLOT[3] - (value - self.y[0]) / (self.y[1] - self.y[0]) * (PLOT[3] - PLOT[1])


def drawn(chart: Chart) -> Markup:
    """The chart as an SVG element; its words are escaped."""
    frame = _frame(chart)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">',
        *_axes(chart, frame),
        *(part for mark in chart.marks for part in _mark(mark, frame)),
        *(part for series in chart.series for part in _series(series, frame)),
        "</svg>",
    ]
    return Markup("".join(parts))


def standalone(chart: Chart) -> str:
    """The chart as an SVG file, with colours of its own on white."""
    inside = str(drawn(chart)).replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" ', 1)
    return inside.replace(">", f'><style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>', 1)


def thinned(count: int) -> int:
    """Every how many-th of so many dots is drawn."""
    return -(-count // MOST_DOTS)


def _frame(chart: Chart) -> _Frame:
    xs = [s.x for s in chart.series] + [np.array([m.value]) for m in chart.marks if m.axis == "x"]
    ys = [s.y for s in chart.series]
    ys += [np.array([m.value - m.spread, m.value + m.spread]) for m in chart.marks if m.axis == "y"]
    x, y = _reach(xs), _reach(ys)
    low, high = (given if given is not None else found for given, found in zip(chart.limits, y, strict=True))
    room = 0.06 * (high - low or 1.0)
    y = (low if chart.limits[0] is not None else low - room, high if chart.limits[1] is not None else high + room)
    room = 0.015 * (x[1] - x[0])
    return _Frame((x[0] - room, x[1] + room), y, (_ticks(x, 6), _ticks(y, 5)))


def _reach(values: list[Values]) -> tuple[float, float]:
    every = np.concatenate([np.asarray(v, float).ravel() for v in values]) if values else np.zeros(0)
    every = every[np.isfinite(every)]
    if not len(every):
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(reach: tuple[float, float], most: int) -> list[float]:
    """Round numbers inside the reach."""
    rough = (reach[1] - reach[0]) / most
    size = 10.0 ** np.floor(np.log10(rough))
    step = float(size * next(m for m in (1, 2, 2.5, 5, 10) if size * m >= rough * 0.999))
    first = int(np.ceil(reach[0] / step - 1e-9))
    return [step * n for n in range(first, int(np.floor(reach[1] / step + 1e-9)) + 1)]


def _said(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _axes(chart: Chart, frame: _Frame) -> Iterator[str]:
    left, top, right, bottom = PLOT
    for value in frame.ticks[1]:
        at = frame.down(value)
        yield f'<path class="grid" d="M{left} {at:.1f}H{right}"/>'
        yield f'<text class="tick" x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{_said(value)}</text>'
    for value, word in chart.x_ticks or [(value, _said(value)) for value in frame.ticks[0]]:
        at = frame.across(value)
        yield f'<path class="axis" d="M{at:.1f} {bottom}v4"/>'
        yield f'<text class="tick" x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{escape(word)}</text>'
    yield f'<path class="axis" d="M{left} {bottom}H{right}"/>'
    yield f'<text class="name" x="{(left + right) / 2}" y="{HEIGHT - 5}" text-anchor="middle">{escape(chart.x_name)}</text>'
    middle = (top + bottom) / 2
    rotation = f'transform="rotate(-90 12 {middle})"'
    yield f'<text class="name" x="12" y="{middle}" text-anchor="middle" {rotation}>{escape(chart.y_name)}</text>'


def _mark(mark: Mark, frame: _Frame) -> Iterator[str]:
    left, top, right, bottom = PLOT
    if mark.axis == "x":
        at = frame.across(mark.value)
        end = "end" if at > (left + right) / 2 else "start"
        yield f'<path class="mark" d="M{at:.1f} {top}V{bottom}"/>'
        beside = at + (-5 if end == "end" else 5)
        yield f'<text class="word" x="{beside:.1f}" y="{(top + bottom) / 2 + 18}" text-anchor="{end}">{escape(mark.name)}</text>'
        return
    at, high, low = (frame.down(mark.value + s * mark.spread) for s in (0, 1, -1))
    yield f'<path class="band" d="M{left} {high:.1f}H{right}V{low:.1f}H{left}Z"/>'
    yield f'<path class="mark" d="M{left} {at:.1f}H{right}"/>'
    yield f'<text class="word" x="{left + 6}" y="{at - 5:.1f}">{escape(mark.name)}</text>'


def _series(series: Series, frame: _Frame) -> Iterator[str]:
    good = np.flatnonzero(np.isfinite(series.x) & np.isfinite(series.y))
    if series.kind == "line":
        places = (f"{frame.across(series.x[k]):.1f} {frame.down(series.y[k]):.1f}" for k in good)
        if len(good):
            yield f'<path class="line c{series.colour}" d="M{"L".join(places)}"><title>{escape(series.name)}</title></path>'
    good = good[:: thinned(len(good))] if len(good) else good
    size = {"dots": 2.7, "line": 2.2}[series.kind]
    for k in good if series.kind == "dots" or len(good) <= 24 else []:
        tip = series.tips[k] if series.tips else f"{series.name}: {_said(series.x[k])}, {_said(series.y[k])}"
        at = f'cx="{frame.across(series.x[k]):.1f}" cy="{frame.down(series.y[k]):.1f}"'
        yield f'<circle class="dot c{series.colour}" {at} r="{size}"><title>{escape(tip)}</title></circle>'
