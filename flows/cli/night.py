"""The command line of `stillsky night`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from flows.cli.options import CONFIG, DASK, DEVICE, PROFILE, SET, STORE

DAY = click.DateTime(["%Y-%m-%d"])
COLUMNS = ("capture", "outcome", "published", "seconds", "d_over_r0", "gain", "reason")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the results [FOLDER/restored]."
)
@CONFIG
@PROFILE
@SET
@click.option("--since", type=DAY, help="Only nights from this one on (noon to noon, local time).")
@click.option("--until", type=DAY, help="Only nights up to this one, itself included.")
@DEVICE
@DASK
@STORE
def night(since: datetime | None, until: datetime | None, **given: Any) -> None:
    """Restore every capture in FOLDER and below it; the same command again does only what is missing."""
    from configs.request import NightRequest
    from flows.cli.restore import restore_night

    given |= {"since": since and since.date(), "until": until and until.date()}
    with _told() as tell:
        summary = restore_night(NightRequest(**given), tell)
    show(summary)
    sys.exit(1 if summary["counts"].get("failed") else 0)


def show(summary: dict[str, Any]) -> None:
    """The captures as a table, and in a line what became of them."""
    rows = [[_cell(row[name]) for name in COLUMNS] for row in summary["captures"]]
    counts = ", ".join(f"{count} {outcome}" for outcome, count in summary["counts"].items()) or "no captures"
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*COLUMNS)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))  # not markup: names may hold brackets
        Console().print(table)
    else:
        widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
        for row in [list(COLUMNS), *rows] if rows else []:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo(f"{counts}; {summary['out']}")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.2f}" if isinstance(value, float) else str(value)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@contextmanager
def _told() -> Iterator[Callable[[str], None] | None]:
    """Tells which capture is at work, where somebody looks at a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    yield lambda line: click.echo(_cell(line), err=True)
