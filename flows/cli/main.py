"""The command line: thin commands over flows/, each importing what it needs when it runs, for Prefect costs seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from flows.cli.bench import bench
from flows.cli.night import night
from flows.cli.options import CONFIG, DASK, DEVICE, PROFILE, SET, STORE
from flows.cli.serve import serve

FAILED, BAD_USE = 1, 2
"""Exit codes: the work failed; the request cannot be understood."""


class Told(click.Group):
    """A group whose commands answer every error stillsky knows with a sentence and an exit code, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the errors are called is looked up only when there is one."""
        _hush_echoes()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("stillsky: stopped; the same command goes on from here", err=True)
            sys.exit(130)
        except Exception as error:
            from configs.load import BadConfig
            from storage.errors import StillskyError

            if not isinstance(error, BadConfig | StillskyError):
                raise
            click.echo(f"stillsky: {error}", err=True)
            sys.exit(BAD_USE if isinstance(error, BadConfig) else FAILED)


@click.group(cls=Told, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="stillsky", prog_name="stillsky")
def main() -> None:
    """Turn a night's shaky telescope videos into still, sharp skies, unattended."""


main.add_command(bench)
main.add_command(night)
main.add_command(serve)


@main.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results.")
@CONFIG
@PROFILE
@SET
@DEVICE
@DASK
@STORE
@click.option("--fresh", is_flag=True, help="Forget what the store holds of this capture and do everything again.")
def restore(fresh: bool, words: tuple[str, ...], **given: Any) -> None:
    """Restore one CAPTURE (a video, a FITS cube, a folder of frames) to a still, sharp sky."""
    from configs.request import CaptureRequest
    from flows.cli.restore import restore as run

    with _bars() as progress:
        report = run(CaptureRequest(words=words, fresh=fresh, **given), progress)
    _verdict(report, given["out"])


@main.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--target",
    type=click.Choice(["planet", "moon", "sun", "satellite", "stars", "galaxy"]),
    default="planet",
    show_default=True,
)
@click.option("--truth", type=click.Path(path_type=Path), metavar="IMAGE", help="Your own picture as the sky.")
@click.option("--psfs", type=click.Path(path_type=Path), metavar="CAPTURE", help="Your own video of a star as the air.")
@click.option("--frames", "n_frames", type=int, help="How many frames [100].")
@click.option("--size", "size_px", type=int, help="Width and height, px [160].")
@click.option("--d-over-r0", type=float, help="Strength of the air [6].")
@click.option("--photons", "photons_peak", type=float, help="Electrons in the brightest pixel [4000].")
@click.option("--background", "background_e", type=float, help="Electrons per pixel from the night sky [0].")
@click.option("--read-noise", "read_noise_e", type=float, help="Electrons rms [2].")
@click.option("--bits", type=click.Choice([8, 12, 16]), help="Of the camera [12].")
@click.option("--exposure-ms", type=float, help="Exposure of a frame [4].")
@click.option("--fps", type=float, help="Frames per second [60].")
@click.option("--drift-px", type=(float, float), help="Drift dy dx over the capture, px [0 0].")
@click.option("--jitter-px", type=float, help="Pointing error, px rms [0.3].")
@click.option("--clouds", type=float, help="Rms of the logarithm of the transparency [0].")
@click.option(
    "--wind", multiple=True, metavar="SHARE,SPEED,DIRECTION", help="A layer of air (m/s, degrees); repeatable."
)
@click.option("--aperture-m", type=float, help="Telescope's diameter [0.25].")
@click.option("--obstruction", type=float, help="Fraction of the diameter [0.33].")
@click.option("--wavelength-nm", type=float, help="Mean wavelength [550].")
@click.option("--pixel-scale-arcsec", type=float, help="Angle of a pixel [lambda / 2D].")
@click.option("--seed", type=int, help="Of everything random [0].")
@click.option("--force", is_flag=True, help="Write over an OUT.toml that says something else.")
def simulate(
    out: Path, target: str, truth: Path | None, psfs: Path | None, exposure_ms: float | None, **words: Any
) -> None:
    """Write a capture OUT.ser through simulated air; beside it the truth, the true PSFs and the matching settings."""
    from flows.cli.simulate import simulate as run

    words["exposure_s"] = None if exposure_ms is None else exposure_ms / 1000
    with _bars() as progress:
        files = run(out, words, target, truth, psfs, " ".join(["stillsky", *sys.argv[1:]]), progress)
    for file in files:
        click.echo(str(file))


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default="demo", show_default=True, help="Folder."
)
@DEVICE
@STORE
def demo(out: Path, device: Any, store: Path | None) -> None:
    """Simulate a small planet through turbulent air, restore it, and measure how much nearer to the truth it came."""
    from flows.cli.demo import run_demo

    with _bars() as progress:
        done = run_demo(out, store, device, progress)
    for line in done.lines:
        click.echo(line)


@main.command()
@DEVICE
@STORE
def doctor(device: str, store: Path | None) -> None:
    """Say what is found on this machine, and what to do about each problem."""
    from flows.cli.doctor import examine
    from flows.server.embedded import default_store

    findings = examine(store or default_store(), device)
    for finding in findings:
        click.echo(finding.line)
    sys.exit(0 if all(finding.ok for finding in findings) else FAILED)


@main.group("store")
def store_() -> None:
    """Look into the store of results, and clean it."""


@store_.command("ls")
@STORE
def store_ls(store: Path | None) -> None:
    """Every product: step, key, size, age, capture with the beginning of its fingerprint; '-': no result needs it."""
    from flows.cli.store import listed
    from flows.server.embedded import default_store

    for line in listed(store or default_store()):
        click.echo(line)


@store_.command("show")
@click.argument("key")
@STORE
def store_show(key: str, store: Path | None) -> None:
    """What the product whose KEY begins so was made from, and what is in it."""
    from flows.cli.store import shown
    from flows.server.embedded import default_store

    for line in shown(store or default_store(), key):
        click.echo(line)


@store_.command("rm")
@click.argument("words", nargs=-1, required=True, metavar="KEY|CAPTURE...")
@click.option("--force", is_flag=True, help="Also what a result still needs.")
@STORE
def store_rm(words: tuple[str, ...], force: bool, store: Path | None) -> None:
    """Remove products by the beginning of their key, or all of a capture."""
    from flows.cli.store import rm
    from flows.server.embedded import default_store

    for line in rm(store or default_store(), words, force):
        click.echo(line)


@store_.command("prune")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Products older than this.")
@click.option("--keep", metavar="SIZE", help="Until the store is no larger than this, e.g. 20GB.")
@click.option("--results", is_flag=True, help="Also results and what they need, oldest first.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@STORE
def store_prune(older_than: float | None, keep: str | None, results: bool, dry_run: bool, store: Path | None) -> None:
    """Remove what no result needs, by age or size."""
    from flows.cli.store import prune
    from flows.server.embedded import default_store

    for line in prune(store or default_store(), older_than, keep, results, dry_run):
        click.echo(line)


def _hush_echoes() -> None:
    """HDF5 objects of a file that a full disk refused complain again when they are dropped; it has been told once."""
    shown, ignored = sys.excepthook, sys.unraisablehook

    def echo(trace: TracebackType | None) -> bool:
        return trace is not None and trace.tb_frame.f_code.co_name.endswith("ObjectID._dealloc")

    sys.excepthook = lambda kind, error, trace: None if echo(trace) else shown(kind, error, trace)
    sys.unraisablehook = lambda told: None if echo(told.exc_traceback) else ignored(told)


def _verdict(report: dict[str, Any], out: Path) -> None:
    """The result in a few lines."""
    for line in report["verdict"]:
        click.echo(line)
    click.echo(f"{out / 'sky.png'}")


@contextmanager
def _bars() -> Iterator[Callable[[str, float, int], None] | None]:
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

        def tell(label: str, done: float, total: int) -> None:
            if label not in rows:
                rows[label] = bars.add_task(label, total=total or None, rate="")
            row = bars.tasks[bars.task_ids.index(rows[label])]
            rate = f"{row.speed:.1f}/s" if row.speed else ""
            whole = row.total if done == total == 1 and row.total else (total or None)
            bars.update(rows[label], completed=whole if done == total == 1 else done, total=whole, rate=rate)

        yield tell


if __name__ == "__main__":
    main()
