"""The command `stillsky study`: a declared grid of small trainings, and a table in which no cell is silent."""

from pathlib import Path
from typing import Any

import click

from flows.cli.options import STORE

UNFINISHED = 3
"""Exit code: cells of the table are not done."""


@click.command("study", short_help="Train variants of a learned step and compare them.")
@click.argument("name", type=click.Choice(["burst", "surgery", "dewarp"]))
@click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps per cell [the study's own].")
@click.option("--show", is_flag=True, help="Only show what is done; nothing is trained.")
@STORE
def study_command(name: str, steps: int | None, show: bool, store: Path | None) -> None:
    """Train the variants of study NAME and compare them: burst, surgery (a widened net) or dewarp."""
    from flows.server import embedded
    from storage.store import Store

    kept = Store(store or embedded.default_store())
    if show:
        from tasks.learning.study import table, variants

        rows, missing = table(kept, variants(name, steps), {})
    else:
        with embedded.recording(kept.root) as ended:
            from flows.study import study

            embedded.wait_for_server(ended)
            done = study(name, steps, kept.root)
        rows, missing = done["rows"], done["open"]
    for line in lines(rows, missing):
        click.echo(line)
    if missing:
        raise click.exceptions.Exit(UNFINISHED)


def lines(rows: list[dict[str, Any]], missing: int) -> list[str]:
    """A Markdown table; what is not done is said on top."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = [f"{missing} of {len(rows)} cells are not done", ""] if missing else []
    body = [" | ".join(str(row.get(name, "-")) for name in names) for row in rows]
    return [*head, f"| {' | '.join(names)} |", "|---" * len(names) + "|", *(f"| {line} |" for line in body)]
