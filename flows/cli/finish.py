"""`stillsky finish`: a picture for the eye from a published result, which stays as it is."""

from pathlib import Path
from typing import Any

import click

from flows.cli.options import FolderPath

MAX_FACTOR = 20.0
"""Largest factor on a wavelet layer or a colour."""


class Numbers(click.ParamType[Any]):
    """Numbers with commas between them."""

    name = "numbers"

    def __init__(self, counts: range, words: tuple[str, ...] = ()) -> None:
        self.counts, self.words = counts, words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A word as it is, else a tuple of numbers."""
        if not isinstance(value, str) or value in self.words:
            return value
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in self.counts or not all(0 <= number <= MAX_FACTOR for number in numbers):
            many = f"{self.counts[0]}" if len(self.counts) == 1 else f"{self.counts[0]} to {self.counts[-1]}"
            known = f"{', '.join(self.words)} or " if self.words else ""
            self.fail(f"{value!r}: {known}{many} numbers from 0 to {MAX_FACTOR:g}, commas between them", param, ctx)
        return numbers


@click.command("finish", short_help="Make a picture for the eye from a result.")
@click.argument("result", type=FolderPath(exists=True))
@click.option("--blend", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="0: the stack, 1: the sky.")
@click.option(
    "--sharpen", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of a deconvolution."
)
@click.option(
    "--wavelets", type=Numbers(range(1, 7)), default="1", help="Factors on layers of 1, 2, 4 ... px: 2,1.5,1.2"
)
@click.option(
    "--white",
    type=Numbers(range(3, 4), ("grey-world", "g2v", "none")),
    help="grey-world, g2v, none, or R,G,B factors [as the result was made].",
)
@click.option("--stretch", type=click.Choice(["linear", "gamma", "asinh"]), help="Of the PNG [as the result was made].")
@click.option(
    "--crop", type=click.Choice(["none", "auto"]), default="none", show_default=True, help="auto: the target."
)
@click.option("--scale", type=click.FloatRange(0.25, 4), default=1.0, show_default=True, help="Finer pixels, e.g. 1.5.")
@click.option("--tiff", is_flag=True, help="A 16 bit TIFF too, linear.")
@click.option("--winjupos", is_flag=True, help="Name the files for WinJUPOS: 2026-11-20-2214_3-Jup-finished.")
@click.option("--out", type=FolderPath(), help="Folder for the pictures [RESULT].")
def finish_command(result: Path, out: Path | None, tiff: bool, winjupos: bool, **options: Any) -> None:
    """Make a picture for the eye from RESULT, a folder that restore or night wrote; sky.fits is never changed.

    Writes finished.png (16 bit), finished.fits and finished.json, which holds every setting; the picture files hold them too.
    """
    from configs.finish import Finish
    from storage.results.finished import read_result
    from tasks.reporting.finish import write_finish

    made = read_result(result)
    usual = {"white": made.setting("colour", "white"), "stretch": made.setting("evaluate", "stretch")}
    chosen = {name: usual.get(name) if value is None else value for name, value in options.items()}
    settings = Finish(**{name: value for name, value in chosen.items() if value is not None})
    for path in write_finish(result, settings, out or result, tiff, winjupos):
        click.echo(path)
