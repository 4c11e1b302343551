"""Options that several commands of the command line share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from configs.profiles import PROFILES

Command = TypeVar("Command", bound=Callable[..., Any])


class FolderPath(click.Path):
    """A folder that may not be there yet; an empty word is refused, for as a path it would mean the working directory."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, file_okay=False, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the word, then the path."""
        if isinstance(value, str) and not value.strip():
            self.fail("the name is empty; write the folder's path (. is the working directory)", param, ctx)
        return super().convert(value, param, ctx)


class Duration(click.ParamType[float]):
    """A time such as 90s, 20m or 1h30m, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; a number without a unit is refused."""
        found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", str(value).strip())
        hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
        total = 3600 * hours + 60 * minutes + seconds
        if not total:
            self.fail(f"{value!r} is no time; write e.g. 90s, 20m or 1h30m", param, ctx)
        return float(total)


STORE = click.option("--store", type=FolderPath(), help="Where results of steps are kept [~/.cache/stillsky].")
CONFIG = click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Your settings (TOML).")
PROFILE = click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="Kind of target: how sky.png is stretched [the capture's log or name].",
)
MODELS = click.option("--models", type=FolderPath(), help="Where models are kept [~/.local/share/stillsky/models].")
SET = click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; may be repeated."
)
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
WINJUPOS = click.option(
    "--winjupos", is_flag=True, help="sky.png and sky.tif also under a name for WinJUPOS: 2026-11-20-2214_3-Jup."
)
DASK = click.option(
    "--dask",
    envvar="STILLSKY_DASK",
    metavar="ADDRESS",
    help="Dask scheduler, e.g. tcp://host:8786, whose workers see the store and solve side by side [none].",
)


def restoring(command: Command) -> Command:
    """The options of every command that restores captures: settings, target, device, cluster and store."""
    for option in (STORE, DASK, DEVICE, SET, PROFILE, CONFIG):  # the last one applied is shown first
        command = option(command)
    return command
