"""What commands print while they work: bars on a terminal, lines elsewhere, and the verdict at the end."""

import logging
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from tasks.running.forecast import Forecast, StepForecast, TimeLeft

LONG_STEP_S = 300.0
"""Without a terminal, a step that takes longer gets a line this often."""


class Progress(Protocol):
    """Receives how long a capture will take, and how far its steps are."""

    def begin(self, forecast: "Forecast") -> None:
        """A capture is about to be restored."""

    def __call__(self, label: str, done: float, total: int) -> None:
        """A step is so far (total 0: not known)."""


class _Watch:
    """What bars and lines share: the forecast and its correction."""

    def __init__(self) -> None:
        self.left: TimeLeft | None = None
        self.steps: dict[str, StepForecast] = {}

    def begin(self, forecast: "Forecast") -> None:
        """Take the forecast of the next capture; it is said where there is anything to do."""
        from tasks.running.forecast import TimeLeft

        self.left = TimeLeft(forecast)
        self.steps = {step.work.label: step for step in forecast.steps}
        if not all(step.is_done for step in forecast.steps[:-1]):
            self.say(forecast.sentence)

    def say(self, text: str) -> None:
        """One line."""
        echo_line(text)

    def time_left(self, now: float) -> str:
        """How long it will still take, in words; empty where that is not known."""
        from tasks.running.forecast import duration

        return f"about {duration(self.left.seconds(now))} left" if self.left else ""

    def counted(self, label: str, fraction: float) -> str:
        """How far a step is, in frames or passes."""
        step = self.steps.get(label)
        if step is None:
            return ""
        return f"{round(fraction * step.work.count):,} of {step.work.count:,} {step.work.unit}"


class _Lines(_Watch):
    """A line per finished step, and for long ones a line now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[str, float] = {}
        self.said: dict[str, float] = {}
        self.finished: set[str] = set()

    def begin(self, forecast: "Forecast") -> None:
        """Forget the steps of the capture before."""
        super().begin(forecast)
        self.begun, self.said, self.finished = {}, {}, set()

    def __call__(self, label: str, done: float, total: int) -> None:
        """Print a line where a step is done."""
        now = time.monotonic()
        since = self.begun.setdefault(label, self.left.begun if self.left else now)
        if self.left:
            self.left.update(label, done, total, now)
        if (step := self.steps.get(label)) is None or step.is_done or label in self.finished or not step.work.count:
            return
        if done == total == 1:
            self.finished.add(label)
            self.say(f"{label}: {step.work.count:,} {step.work.unit} in {now - since:.1f} s; {self.time_left(now)}")
        elif total and now - self.said.setdefault(label, now) > LONG_STEP_S:
            self.said[label] = now
            self.say(f"{label}: {self.counted(label, done / total)}, {self.time_left(now)}")


class _Bars(_Watch):
    """A bar per step with its frames, and one for all of them with the time left."""

    def __init__(self, bars: "Bars") -> None:
        super().__init__()
        self.bars, self.rows = bars, dict[str, Any]()
        self.whole: Any = None

    def begin(self, forecast: "Forecast") -> None:
        """One bar for the whole capture."""
        super().begin(forecast)
        self.rows.clear()
        self.whole = self.bars.add_task("all steps", total=1.0, count="", left="")

    def say(self, text: str) -> None:
        """A line above the bars."""
        self.bars.console.print(printable(text), markup=False, highlight=False)

    def __call__(self, label: str, done: float, total: int) -> None:
        """Move the bar of the step, and that of all."""
        now = time.monotonic()
        if label in self.steps and not self.steps[label].work.count:
            return
        if label not in self.rows:
            self.rows[label] = self.bars.add_task(label, total=total or None, count="", left="")
        fraction = min(1.0, done / total) if total else 0.0
        count = self.counted(label, fraction) or (f"{done:g} of {total:,}" if total else f"{done:g}")
        self.bars.update(self.rows[label], completed=fraction, total=1.0 if total else None, count=count)
        if self.left:
            self.left.update(label, done, total, now)
            left = self.left.seconds(now)
            spent = now - self.left.started
            self.bars.update(self.whole, completed=spent / max(spent + left, 1e-9), left=self.time_left(now))


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars with frames, time and time left; on no terminal (cron, nohup) a line per step."""
    if not sys.stderr.isatty():
        lines = _Lines()
        with _announcing_waits(lines.say):
            yield lines
        return
    with _new_bars() as bars:
        display = _Bars(bars)
        with _announcing_waits(display.say):
            yield display


@contextmanager
def progress_lines() -> Iterator[Callable[[str], None]]:
    """Prints a line per message."""
    with _announcing_waits(echo_line):
        yield echo_line


def echo_line(text: str) -> None:
    """Print a line beside the results; names in it may hold any characters."""
    click.echo(printable(text), err=True)


def echo_verdict(report: dict[str, Any], out: Path) -> None:
    """The result in a few lines, and where to look."""
    echo_sentences(report["verdict"])
    click.echo(f"{out / 'sky.png'}")
    click.echo(f"{out / 'report.html'}")


def echo_sentences(lines: Iterable[str]) -> None:
    """A line each; on a terminal broken between words, the rest of a sentence indented."""
    for line in lines:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else len(line) + 1
        click.echo(textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))


def printable(text: str) -> str:
    """Text without control characters: names of files may hold any."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@contextmanager
def _announcing_waits(say: Callable[[str], None]) -> Iterator[None]:
    """Say at once who holds a lock that this process waits for."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    log, handler = logging.getLogger("stillsky.waiting"), Handler(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _new_bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:18}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    return Bars(*columns, console=Console(stderr=True))
