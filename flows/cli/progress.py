"""What commands print while they work: progress bars or lines on a terminal, and the verdict at the end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

Progress = Callable[[str, float, int], None]
"""Called with the label of a step, how much is done, and the total (0: not known)."""


@contextmanager
def progress_bars() -> Iterator[Progress | None]:
    """A progress bar per step with rate and time left; nothing where the output is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with _new_bars() as bars:
        rows: dict[str, Any] = {}

        def update(label: str, done: float, total: int) -> None:
            if label not in rows:
                rows[label] = bars.add_task(label, total=total or None, rate="")
            row = bars.tasks[bars.task_ids.index(rows[label])]
            rate = f"{row.speed:.1f}/s" if row.speed else ""
            step_total = row.total if done == total == 1 and row.total else (total or None)
            bars.update(rows[label], completed=step_total if done == total == 1 else done, total=step_total, rate=rate)

        yield update


@contextmanager
def progress_lines() -> Iterator[Callable[[str], None] | None]:
    """Prints a line per message; nothing where the output is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda line: click.echo(printable(line), err=True)


def echo_verdict(report: dict[str, Any], out: Path) -> None:
    """The result in a few lines."""
    for line in report["verdict"]:
        click.echo(line)
    click.echo(f"{out / 'sky.png'}")


def printable(text: str) -> str:
    """Text without control characters: names of files may hold any."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _new_bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Bars(*columns, console=Console(stderr=True))
