"""The command `stillsky bench`: simulated captures are restored and compared with the known truth."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tasks.benchmark.benchmark import Row


@click.command("bench", short_help="Restore simulated captures and compare with their truths.")
@click.option("--only", multiple=True, metavar="NAME", help="This case; may be repeated.")
@click.option("--model", type=click.Choice(["pupil", "freeform"]), default="pupil", show_default=True, help="PSFs.")
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Captures of each case.")
@click.option("--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; may be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="The table, as JSON too.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def bench_command(
    only: tuple[str, ...], model: str, seeds: int, overrides: tuple[str, ...], json_file: Path | None, device: str
) -> None:
    """Restore simulated captures; print, in Markdown, how far each got from the lucky stack to the known truth."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # on a busy machine threads spin for a core they do not get
    from storage.results.export import save_json
    from tasks.benchmark.benchmark import HEAD, as_json, summary

    click.echo("\n".join(HEAD))
    rows = []
    for row in run_cases(only, range(seeds), model, overrides, device):
        rows.append(row)
        click.echo(row.line)
        if json_file is not None:
            save_json(json_file, as_json(rows))
    click.echo("\n".join(summary(rows)))


def run_cases(
    only: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    model: str = "pupil",
    overrides: Sequence[str] = (),
    device: str = "auto",
) -> "Iterator[Row]":
    """One row per case and seed, as each is done. Captures and results of steps live in a temporary folder."""
    from configs.load import BadConfig, load_config
    from flows.benchmark import run_case
    from tasks.benchmark.benchmark import CASES
    from tasks.running.devices import pick_device

    unknown = [name for name in only if name not in CASES]
    if unknown:
        raise BadConfig(f"--only {unknown[0]}: known are {', '.join(CASES)}")
    settings = [f"psfs.model={model}", *overrides]
    load_config(None, overrides=settings)
    chosen = pick_device(device)
    for name in only or CASES:
        for seed in seeds:
            yield run_case(name, seed, settings, chosen)
