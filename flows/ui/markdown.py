"""Markdown for artifacts in the Prefect UI: what people named their files stays text, whatever characters it has."""

import base64
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import isfinite


def slug(name: str) -> str:
    """A name as part of an artifact's key: lowercase letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "capture"


def text(plain: str) -> str:
    """Text as it is: no character in it is taken for Markdown or HTML. (The UI shows character references as such.)"""
    line = "".join(c if c.isprintable() else " " for c in plain)
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line)


def code(plain: str) -> str:
    """Text to be copied, such as a path: a code span longer than any run of backticks in them."""
    line = "".join(c if c.isprintable() else " " for c in plain)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def picture(png: bytes, what: str) -> str:
    """A picture inside the text: the UI reaches no files."""
    return f"![{text(what)}](data:image/png;base64,{base64.b64encode(png).decode()})"


def drawing(svg: str, what: str) -> str:
    """A drawing inside the text."""
    return f"![{text(what)}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows with named cells; a cell that a row lacks is a dash."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([row.get(name, "–") for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(value: float | None) -> str:
    """A number with as many digits as people read."""
    if value is None or not isfinite(value):
        return "–"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def how_far(label: str, done: float, total: int, seconds: float) -> str:
    """Progress as a sentence, with rate and time left: `solve psfs round 2: batch 3 of 12, 15.0 s each, 0:02:30 left`."""
    progress = f"{label}: batch {int(done) + 1}" if label.startswith("solve psfs") else f"{label}: {int(done)}"
    if not done:
        return f"{progress} of {total}"
    speed = f"{done / seconds:.1f}/s" if done >= seconds > 0 else f"{seconds / done:.1f} s each"
    return f"{progress} of {total}, {speed}, {timedelta(seconds=round((total - done) * seconds / done))} left"
