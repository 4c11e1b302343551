"""The command `stillsky bench`."""

import os
from pathlib import Path

import click


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="This case; may be repeated.")
@click.option("--model", type=click.Choice(["pupil", "freeform"]), default="pupil", show_default=True, help="PSFs.")
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Captures of each case.")
@click.option("--set", "words", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; may be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="The table, as JSON too.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def bench(
    only: tuple[str, ...], model: str, seeds: int, words: tuple[str, ...], json_file: Path | None, device: str
) -> None:
    """Restore simulated captures; print, in Markdown, how far each got from the lucky stack to the known truth."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # on a busy machine threads spin for a core they do not get
    from flows.cli.bench import bench as run
    from storage.results.export import save_json
    from tasks.benchmark.benchmark import HEAD, as_json, summary

    click.echo("\n".join(HEAD))
    rows = []
    for row in run(only, range(seeds), model, words, device):
        rows.append(row)
        click.echo(row.line)
        if json_file is not None:
            save_json(json_file, as_json(rows))
    click.echo("\n".join(summary(rows)))
