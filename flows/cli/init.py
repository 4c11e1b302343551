"""`stillsky init`: telescope and site, asked once and written where every command finds them."""

import sys
from pathlib import Path
from typing import Any

import click

QUESTIONS = {
    "aperture_m": "Aperture, in metres",
    "obstruction": "Central obstruction, as a fraction of the aperture's diameter",
    "focal_length_mm": "Effective focal length with Barlow or reducer, in mm",
    "pixel_size_um": "Pixel size of the camera, in micrometres",
    "latitude_deg": "Latitude in degrees, north positive",
    "longitude_deg": "Longitude in degrees, east positive",
    "elevation_m": "Height above the sea, in metres",
}
"""What is asked where no option is given; an empty answer leaves it out."""
SITE = ("latitude_deg", "longitude_deg", "elevation_m")


@click.command("init", short_help="Write down your telescope, camera and site, once.")
@click.option("--aperture-m", type=float, help="Telescope's diameter.")
@click.option("--obstruction", type=float, help="Fraction of the diameter.")
@click.option("--focal-length-mm", type=float, help="Effective focal length; goes with --pixel-size-um.")
@click.option("--pixel-size-um", type=float, help="Pitch of the camera's pixels.")
@click.option("--pixel-scale-arcsec", type=float, help="Sky angle of a pixel, instead of focal length and pixel size.")
@click.option("--latitude-deg", type=float, help="Of the site, north positive.")
@click.option("--longitude-deg", type=float, help="Of the site, east positive.")
@click.option("--elevation-m", type=float, help="Of the site.")
@click.option("--force", is_flag=True, help="Write over an observatory file that is there.")
def init_command(force: bool, **options: float | None) -> None:
    """Write the observatory file (~/.config/stillsky/observatory.toml, or STILLSKY_OBSERVATORY). Asks where no option is given.

    Nearer settings win: the capture's log, --config, stillsky.toml beside a capture, --set.
    """
    from configs.load import BadConfig
    from configs.observatory import VARIABLE, observatory_file

    file = observatory_file()
    if file is None:
        raise BadConfig(f"{VARIABLE} is empty, so that no observatory file is read; unset it, or name a file with it")
    if file.exists() and not force:
        raise BadConfig(f"{file} is there already; change it with an editor, or write it anew with --force")
    values = {name: value for name, value in options.items() if value is not None} or _typed_answers()
    write_observatory(file, values)
    click.echo(str(file))


def _typed_answers() -> dict[str, float]:
    """Answers typed at a terminal; what is answered with an empty line is left out."""
    if not sys.stdin.isatty():
        from configs.load import BadConfig

        raise BadConfig("nothing given and no terminal to ask at: give --aperture-m, --obstruction and the pixel scale")
    answers = {name: click.prompt(text, default="", show_default=False) for name, text in QUESTIONS.items()}
    return {name: _number(name, text) for name, text in answers.items() if str(text).strip()}


def _number(name: str, text: Any) -> float:
    from configs.load import BadConfig

    try:
        return float(str(text).replace(",", "."))
    except ValueError:
        raise BadConfig(f"{name} = {text!r}: write a number, for example 0.25") from None


def write_observatory(file: Path, values: dict[str, float]) -> None:
    """Check the values as settings, and write them; nothing is written where they cannot be used."""
    from configs.load import BadConfig, checked_tables
    from storage.atomic import publish

    site = {name: value for name, value in values.items() if name in SITE}
    telescope = {name: value for name, value in values.items() if name not in SITE}
    if complaints := checked_tables({"telescope": telescope, "site": site}):
        raise BadConfig("\n".join(["the observatory cannot be written:", *complaints]))
    lines = ["# Read by every command of stillsky; nearer settings win.", "", "[telescope]"]
    lines += [f"{name} = {float(value)!r}" for name, value in telescope.items()]
    lines += ["", "[site]", *(f"{name} = {float(value)!r}" for name, value in site.items())] if site else []
    publish(file, lambda temporary: temporary.write_text("\n".join(lines) + "\n", encoding="utf-8"))
