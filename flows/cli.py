"""The command line: thin commands over flows/, each importing what it needs when it runs, for Prefect costs seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

FAILED, BAD_USE = 1, 2
"""Exit codes: the work failed; the request cannot be understood."""

STORE = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where results of steps are kept [~/.cache/stillsky].",
)
CONFIG = click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Your settings (TOML).")
PROFILE = click.option(
    "--profile",
    type=click.Choice(["planet", "moon", "sun", "stars", "satellite"]),
    help="Settings for a kind of target.",
)
SET = click.option("--set", "words", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; may be repeated.")
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)


class Told(click.Group):
    """A group whose commands answer every error stillsky knows with a sentence and an exit code, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from configs.load import BadConfig
        from storage.errors import StillskyError

        try:
            return super().invoke(ctx)
        except BadConfig as error:
            click.echo(f"stillsky: {error}", err=True)
            sys.exit(BAD_USE)
        except StillskyError as error:
            click.echo(f"stillsky: {error}", err=True)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            click.echo("stillsky: stopped; the same command goes on from here", err=True)
            sys.exit(130)


@click.group(cls=Told, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="stillsky", prog_name="stillsky")
def main() -> None:
    """Turn a night's shaky telescope videos into still, sharp skies, unattended."""


@main.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results.")
@CONFIG
@PROFILE
@SET
@DEVICE
@STORE
@click.option("--fresh", is_flag=True, help="Forget what the store holds of this capture and do everything again.")
def restore(fresh: bool, words: tuple[str, ...], **given: Any) -> None:
    """Restore one CAPTURE (a video, a FITS cube, a folder of frames) to a still, sharp sky."""
    from flows.restore import Request
    from flows.restore import restore as run

    with _bars() as progress:
        report = run(Request(words=words, fresh=fresh, **given), progress)
    _verdict(report, given["out"])


def _verdict(report: dict[str, Any], out: Path) -> None:
    """The result in a few lines."""
    for line in report["verdict"]:
        click.echo(line)
    click.echo(f"{out / 'sky.png'}")


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar per step with rate and time left; nothing where the output is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        rows: dict[str, Any] = {}

        def tell(label: str, done: int, total: int) -> None:
            if label not in rows:
                rows[label] = bars.add_task(label, total=total or None, rate="")
            row = bars.tasks[bars.task_ids.index(rows[label])]
            rate = f"{row.speed:.1f}/s" if row.speed else ""
            whole = row.total if done == total == 1 and row.total else (total or None)
            bars.update(rows[label], completed=whole if done == total == 1 else done, total=whole, rate=rate)

        yield tell


if __name__ == "__main__":
    main()
