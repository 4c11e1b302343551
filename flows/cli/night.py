"""`stillsky night`: every capture of a folder, restored under an own Prefect server unless there is one to join."""

import contextlib
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import CONFIG, DASK, DEVICE, PROFILE, SET, STORE, WINJUPOS, FolderPath
from flows.cli.progress import printable, progress_lines

if TYPE_CHECKING:
    from configs.request import NightRequest

DAY, CLOCK = click.DateTime(["%Y-%m-%d"]), click.DateTime(["%H:%M"])


@click.command("night", short_help="Restore every capture in a folder.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=FolderPath(), help="Folder for the results [FOLDER/restored].")
@CONFIG
@PROFILE
@SET
@click.option("--since", type=DAY, help="Only nights from this one on (noon to noon, local time).")
@click.option("--until", type=DAY, help="Only nights up to this one, itself included.")
@click.option(
    "--by",
    type=CLOCK,
    metavar="HH:MM",
    help="Be over by this local time: fewer frames, or previews, where it is short.",
)
@click.option("--quick/--no-quick", default=True, show_default=True, help="Previews of long captures first.")
@click.option("--retry-failed", is_flag=True, help="Try captures again that failed before and have not changed since.")
@DEVICE
@DASK
@STORE
@WINJUPOS
def night_command(since: datetime | None, until: datetime | None, by: datetime | None, **options: Any) -> None:
    """Restore every capture in FOLDER and below it; the same command again does only what is missing.

    Exit codes: 0 every capture has its results or waits to be whole, 1 a capture or the night failed (a capture that
    failed before and has not changed counts), 2 the request cannot be understood, 130 stopped by Ctrl-C.
    """
    from configs.request import NightRequest

    options |= {"since": since and since.date(), "until": until and until.date(), "by": by and by.time()}
    with progress_lines() as report_line:
        summary = restore_night(NightRequest(**options), report_line)
    echo_summary(summary)
    sys.exit(1 if summary["counts"].get("failed") else 0)


def restore_night(request: "NightRequest", report_line: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Restore every capture of a night; leaves a folder of results for each, returns the summary."""
    from flows.server import embedded
    from storage.captures.night import night_settings
    from storage.store import Store

    request = request.anchored(Path.cwd())
    night_settings(request)
    store = Store(request.store or embedded.default_store())
    with embedded.recording(store.root) as ended:
        from flows.night import night, progress_to

        embedded.wait_for_server(ended)
        with progress_to(report_line) if report_line else contextlib.nullcontext():
            return night(request.model_copy(update={"store": store.root}))


def echo_summary(summary: dict[str, Any]) -> None:
    """The captures as a table, and in a line what became of them."""
    from storage.results.night_record import COLUMNS

    rows = [[_cell(row[name]) for name in COLUMNS] for row in summary["captures"]]
    counts = ", ".join(f"{count} {outcome}" for outcome, count in summary["counts"].items()) or "no captures"
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table("capture", "outcome", "published", "s", "D/r0", "gain")
        for row in rows:
            table.add_row(*(Text(cell, overflow="fold") for cell in row[:-1]))  # not markup: names may hold brackets
        Console().print(table)
        for capture, *_, reason in rows:
            if reason:
                click.echo(f"{capture}: {reason}")
    else:
        widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
        for row in [list(COLUMNS), *rows] if rows else []:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo(f"{counts}; {summary['out']}")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return printable(f"{value:.1f}" if isinstance(value, float) else str(value))
