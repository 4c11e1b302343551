"""Options that several commands of the command line share."""

from pathlib import Path

import click

from configs.profiles import PROFILES

STORE = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where results of steps are kept [~/.cache/stillsky].",
)
CONFIG = click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Your settings (TOML).")
PROFILE = click.option("--profile", type=click.Choice(PROFILES), help="Settings for a kind of target.")
SET = click.option("--set", "words", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; may be repeated.")
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
DASK = click.option(
    "--dask",
    envvar="STILLSKY_DASK",
    metavar="ADDRESS",
    help="Dask scheduler, e.g. tcp://host:8786, whose workers see the store and solve side by side [none].",
)
