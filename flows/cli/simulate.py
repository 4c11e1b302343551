"""`stillsky simulate`: a capture with a known truth."""

import sys
from pathlib import Path
from typing import Any

import click

from flows.cli.progress import progress_bars


@click.command("simulate", short_help="Write a capture with a known truth.")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--target",
    type=click.Choice(["planet", "moon", "sun", "satellite", "stars", "galaxy"]),
    default="planet",
    show_default=True,
)
@click.option("--truth", type=click.Path(path_type=Path), metavar="IMAGE", help="Your own picture as the sky.")
@click.option(
    "--psfs", type=click.Path(path_type=Path), metavar="CAPTURE", help="Your own video of a star: a PSF in every frame."
)
@click.option("--frames", "n_frames", type=int, help="How many frames [100].")
@click.option("--size", metavar="WIDTH[xHEIGHT]", help="Of a frame, px, for example 160 or 640x480 [160].")
@click.option("--d-over-r0", type=float, help="Strength of the turbulence, D/r0 [6].")
@click.option("--photons", "photons_peak", type=float, help="Electrons in the brightest pixel [4000].")
@click.option("--background", "background_e", type=float, help="Electrons per pixel from the night sky [0].")
@click.option("--read-noise", "read_noise_e", type=float, help="Electrons rms [2].")
@click.option("--bits", type=click.Choice([8, 12, 16]), help="Of the camera [12].")
@click.option("--exposure-ms", type=float, help="Exposure of a frame [4].")
@click.option("--fps", type=float, help="Frames per second [60].")
@click.option("--drift-px", type=(float, float), help="Drift dy dx over the capture, px [0 0].")
@click.option("--jitter-px", type=float, help="Pointing error, px rms [0.3].")
@click.option("--static", multiple=True, metavar="NAME=WAVES", help="Aberration, waves rms (coma=0.07); repeatable.")
@click.option("--spider", type=float, is_flag=False, flag_value=0.02, help="Four vanes; width over diameter [0.02].")
@click.option("--mosaic", type=click.Choice(["RGGB", "GRBG", "GBRG", "BGGR"]), help="A colour camera's raw frames.")
@click.option("--movie", metavar="bpp=NUMBER", help="OUT.mp4 as a still camera writes it: sRGB, H.264, bits per pixel.")
@click.option("--dispersion", "dispersion_px", type=float, help="Red against blue along y, px; needs colours [0].")
@click.option("--defects", is_flag=True, help="Hot, dead pixels, cosmic rays, a frame without light, repeated frames.")
@click.option("--clouds", type=float, help="Rms of the logarithm of the transparency [0].")
@click.option(
    "--wind", multiple=True, metavar="SHARE,SPEED,DIRECTION", help="A turbulent layer (m/s, degrees); repeatable."
)
@click.option("--aperture-m", type=float, help="Telescope's diameter [0.25].")
@click.option("--obstruction", type=float, help="Fraction of the diameter [0.33].")
@click.option("--wavelength-nm", type=float, help="Mean wavelength [550].")
@click.option("--started", metavar="TIME", help="Of the first frame, UT: 2026-11-20T22:14:00 [2020-01-01].")
@click.option("--rotation", is_flag=True, help="The planet is as it stands at --started, and turns.")
@click.option("--planet", help="Which planet turns: Jupiter, Saturn or Mars [Jupiter].")
@click.option("--north", "north_deg", type=float, help="Of a planet that turns: degrees from up to the left [0].")
@click.option("--mirrored", is_flag=True, help="Of a planet that turns: the picture is mirrored.")
@click.option("--pixel-scale-arcsec", type=float, help="Angle of a pixel [binning x lambda / 2D].")
@click.option("--binning", type=int, help="Width of a pixel in those of the truth: more than 1 undersamples [1].")
@click.option("--seed", type=int, help="Of everything random [0].")
@click.option("--force", is_flag=True, help="Write over an OUT.toml that says something else.")
def simulate_command(
    out: Path, target: str, truth: Path | None, psfs: Path | None, exposure_ms: float | None, **fields: Any
) -> None:
    """Write a capture OUT (it ends with .ser, of a movie with .mp4) through simulated turbulence; beside it truth, true PSFs,
    matching settings."""
    from tasks.benchmark.simulate import simulate

    fields["exposure_s"] = None if exposure_ms is None else exposure_ms / 1000
    with progress_bars() as progress:
        files = simulate(out, fields, target, truth, psfs, " ".join(["stillsky", *sys.argv[1:]]), progress)
    for file in files:
        click.echo(str(file))
